#include "transport/nng/outbound.h"

#include <chrono>
#include <memory>

#include "gtest/gtest.h"
#include "transport/contract/recording_handler.h"
#include "transport/nng/secured_nodes.h"

namespace cluster {
namespace nng {
namespace {

constexpr std::chrono::milliseconds kSoon{1};

// An answer that was meant for a connection before this one comes late: this
// one is not proven by it. 2 is there, and does not ask for a proof, since it
// does not dial 1.
TEST(OutboundTest, AnAnswerForAnotherConnectionChangesNothing) {
  const TestKeys keys({1, 2});
  TransportConfig config = keys.ConfigOf(2);
  config.handshake_timeout = absl::Milliseconds(500);
  const auto two = StartSecured(config);
  ASSERT_NE(two, nullptr);

  auto material =
      TlsMaterial::Load(keys.FilesOf(1), TransportConfig().cluster, 1);
  ASSERT_TRUE(material.ok()) << material.status();
  Authenticator authenticator(1, *std::move(material),
                              [](int) { return nullptr; });
  RecordingHandler handler;
  Caretaker caretaker;
  ASSERT_TRUE(caretaker.Start().ok());
  OutboundContext context;
  context.handler = &handler;
  context.caretaker = &caretaker;
  context.authenticator = &authenticator;
  context.dial_timeout = std::chrono::seconds(60);
  const auto outbound = std::make_shared<Outbound>(
      context, 2, *ParseAddress(two->transport->Address()), /*generation=*/1);
  caretaker.Add(outbound);

  Verdict::Answer late;
  late.peer = 2;
  late.tag.fill('l');
  late.message = ProofOf(Nonce{});
  // Until 2 has waited in vain for a proof: so there was one to be given.
  const auto waited = [](const Recorded& r) { return !r.rejections.empty(); };
  while (!two->handler.WaitFor(kSoon, waited)) outbound->OnAnswer(late);
  EXPECT_EQ(two->handler.Get().rejections[0].kind, RejectionKind::kSilent);
  EXPECT_EQ(two->handler.Get().rejections[0].peer, 1);
  EXPECT_TRUE(handler.Get().connected.empty());

  outbound->Disconnect();
  caretaker.Stop();
}

}  // namespace
}  // namespace nng
}  // namespace cluster
