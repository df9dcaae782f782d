// Who gets into a secured socket: whom the ZAP handler knows, and while there
// is none, or one that does not answer, nobody.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/transport/zmq/curve_keys.h"
#include "cluster/transport/zmq/inbound_socket.h"
#include "cluster/transport/zmq/settings.h"
#include "cluster/transport/zmq/zap.h"
#include "gtest/gtest.h"
#include "programs/keygen/keys.h"
#include "zmq.hpp"

namespace cluster::internal {
namespace zmq_backend {
namespace {

constexpr int kHandshakeMs = 300;
constexpr int kWaitMs = 30000;

class CurveTest : public testing::Test {
 protected:
  void SetUp() override {
    request_.cluster = "curve";
    request_.server_ids = {1, 2, 3};
    request_.folder = absl::StrCat(testing::TempDir(), "/zapXXXXXX");
    ASSERT_NE(mkdtemp(&request_.folder[0]), nullptr);
    ASSERT_TRUE(MakeKeys(request_).ok());
    ring_ = std::make_unique<CurveKeyRing>(Keys(1));
    settings_.frame_bytes_max = 1000;
    settings_.handshake_ms = kHandshakeMs;
    settings_.secured = true;
  }

  std::shared_ptr<const CurveKeys> Keys(int id) {
    SecurityFiles files;
    files.identity = absl::StrCat(request_.folder, "/", id);
    for (int peer : request_.server_ids) {
      if (peer == id) continue;
      files.peers[peer] = absl::StrCat(request_.folder, "/public/", peer);
    }
    auto keys = LoadCurveKeys(files, nullptr);
    EXPECT_TRUE(keys.ok()) << keys.status();
    return *keys;
  }

  void Listen() {
    Address address;
    address.host = "127.0.0.1";
    auto inbound =
        InboundSocket::Open(&context_, settings_, ring_.get(), address);
    ASSERT_TRUE(inbound.ok()) << inbound.status();
    inbound_ = *std::move(inbound);
  }

  // A client with server `id`'s good keys that has sent a frame.
  zmq::socket_t DialAs(int id, const std::string& text) {
    zmq::socket_t push(client_context_, zmq::socket_type::push);
    SetUpPush(settings_, inbound_->address(), &push);
    const auto keys = Keys(id);
    SecurePush(*keys, *keys->FindPeer(1), &push);
    push.connect("tcp://" + ToString(inbound_->address()));
    push.send(zmq::buffer(text), zmq::send_flags::none);
    return push;
  }

  // Waits for the next message or news of a rejected connection.
  InboundSocket::Result Next(ReceivedFrame* frame, Rejection* rejection) {
    constexpr int kSliceMs = 5;
    for (int waited_ms = 0; waited_ms < kWaitMs; waited_ms += kSliceMs) {
      const auto result = inbound_->Receive(kSliceMs, frame, rejection);
      if (result != InboundSocket::Result::kEmpty) return result;
      if (inbound_->NextRejection(rejection))
        return InboundSocket::Result::kRejected;
    }
    return InboundSocket::Result::kEmpty;
  }

  std::unique_ptr<ZapHandler> StartZap() {
    auto zap = ZapHandler::Start(&context_, ring_.get(), [](Rejection) {});
    EXPECT_TRUE(zap.ok()) << zap.status();
    return *std::move(zap);
  }

  KeyRequest request_;
  ZmqSettings settings_;
  zmq::context_t client_context_;
  std::unique_ptr<CurveKeyRing> ring_;
  zmq::context_t context_;
  std::unique_ptr<InboundSocket> inbound_;
};

TEST_F(CurveTest, AKnownKeyIsLetInUnderItsServersId) {
  const auto zap = StartZap();
  Listen();
  const zmq::socket_t two = DialAs(2, "from two");
  ReceivedFrame frame;
  Rejection rejection;
  ASSERT_EQ(Next(&frame, &rejection), InboundSocket::Result::kFrame);
  EXPECT_EQ(frame.slice.bytes, "from two");
  EXPECT_EQ(frame.identity, 2);
  const zmq::socket_t three = DialAs(3, "from three");
  ASSERT_EQ(Next(&frame, &rejection), InboundSocket::Result::kFrame);
  EXPECT_EQ(frame.identity, 3);
}

// Good keys, and nobody who says so: ZeroMQ by itself would let them in.
TEST_F(CurveTest, WithoutAHandlerNobodyIsLetIn) {
  Listen();
  const zmq::socket_t two = DialAs(2, "from two");
  ReceivedFrame frame;
  Rejection rejection;
  EXPECT_EQ(Next(&frame, &rejection), InboundSocket::Result::kRejected);
  EXPECT_EQ(Next(&frame, &rejection), InboundSocket::Result::kRejected);
}

TEST_F(CurveTest, AfterTheHandlersEndNobodyIsLetIn) {
  StartZap().reset();
  Listen();
  const zmq::socket_t two = DialAs(2, "from two");
  ReceivedFrame frame;
  Rejection rejection;
  EXPECT_EQ(Next(&frame, &rejection), InboundSocket::Result::kRejected);
  // With one, the same client gets in with its next attempt.
  const auto zap = StartZap();
  while (Next(&frame, &rejection) == InboundSocket::Result::kRejected) {
  }
  EXPECT_EQ(frame.identity, 2);
}

// One that takes requests and never answers.
TEST_F(CurveTest, WhileTheHandlerHangsNobodyIsLetIn) {
  zmq::socket_t hanging(context_, zmq::socket_type::rep);
  hanging.bind(kZapEndpoint);
  Listen();
  const zmq::socket_t two = DialAs(2, "from two");
  zmq::message_t request;
  ASSERT_TRUE(hanging.recv(request, zmq::recv_flags::none).has_value());
  ReceivedFrame frame;
  Rejection rejection;
  EXPECT_EQ(Next(&frame, &rejection), InboundSocket::Result::kRejected);
  EXPECT_EQ(rejection.kind, RefusalReason::kSilent) << rejection;
  hanging.set(zmq::sockopt::linger, 0);
}

// One that lets everybody in and does not say who that is.
TEST_F(CurveTest, WhoIsLetInAsNobodyIsNotHeard) {
  zmq::socket_t lax(context_, zmq::socket_type::rep);
  lax.set(zmq::sockopt::linger, 0);
  lax.bind(kZapEndpoint);
  Listen();
  for (const std::string user : {"", "everybody"}) {
    const zmq::socket_t two = DialAs(2, "from two");
    std::vector<std::string> request;
    zmq::message_t part;
    do {
      ASSERT_TRUE(lax.recv(part, zmq::recv_flags::none).has_value());
      request.push_back(part.to_string());
    } while (part.more());
    const std::string& request_id = request[1];
    for (const std::string& reply :
         {std::string("1.0"), request_id, std::string("200"), std::string("OK"),
          user})
      lax.send(zmq::buffer(reply), zmq::send_flags::sndmore);
    lax.send(zmq::message_t(), zmq::send_flags::none);
    ReceivedFrame frame;
    Rejection rejection;
    ASSERT_EQ(Next(&frame, &rejection), InboundSocket::Result::kRejected);
    EXPECT_EQ(rejection.kind, RefusalReason::kUnauthenticated);
    EXPECT_EQ(rejection.reason,
              "a message came on a connection that proved nothing");
  }
}

TEST_F(CurveTest, FramesOfARevokedKeyAreNobodys) {
  const auto zap = StartZap();
  Listen();
  zmq::socket_t two = DialAs(2, "before");
  ReceivedFrame frame;
  Rejection rejection;
  ASSERT_EQ(Next(&frame, &rejection), InboundSocket::Result::kFrame);
  SecurityFiles files;
  files.identity = absl::StrCat(request_.folder, "/1");
  files.peers[3] = absl::StrCat(request_.folder, "/public/3");
  ring_->Set(*LoadCurveKeys(files, ring_->Get().get()));
  two.send(zmq::str_buffer("after"), zmq::send_flags::none);
  ASSERT_EQ(Next(&frame, &rejection), InboundSocket::Result::kRejected);
  EXPECT_EQ(rejection.kind, RefusalReason::kUnauthenticated);
  EXPECT_EQ(rejection.peer, 2);
}

TEST_F(CurveTest, AListenerWithOtherKeysTakesTheSameAddress) {
  const auto zap = StartZap();
  Listen();
  const Address address = inbound_->address();
  const zmq::socket_t old = DialAs(2, "by the old key");
  ReceivedFrame frame;
  Rejection rejection;
  ASSERT_EQ(Next(&frame, &rejection), InboundSocket::Result::kFrame);
  KeyRequest request = request_;
  request.server_ids = {1};
  request.replace = true;
  ASSERT_TRUE(MakeKeys(request).ok());
  ring_->Set(Keys(1));
  ASSERT_EQ(inbound_->ListenAnew(), absl::OkStatus());
  EXPECT_EQ(ToString(inbound_->address()), ToString(address));
  const zmq::socket_t fresh = DialAs(2, "by the new key");
  while (Next(&frame, &rejection) == InboundSocket::Result::kRejected) {
  }
  EXPECT_EQ(frame.slice.bytes, "by the new key");
}

std::vector<absl::string_view> Request(absl::string_view domain,
                                       absl::string_view mechanism,
                                       absl::string_view credentials) {
  return {"1.0", "id", domain, "127.0.0.1", "", mechanism, credentials};
}

TEST_F(CurveTest, OnlyAWholeRequestWithAKnownKeyIsAccepted) {
  const auto keys = Keys(1);
  const CurveKey& key = keys->FindPeer(2)->key;
  const std::string known(key.begin(), key.end());
  std::string unknown = known;
  unknown[0] = static_cast<char>(unknown[0] ^ 1);
  EXPECT_TRUE(
      JudgeZapRequest(*keys, Request(kZapDomain, "CURVE", known)).accepted);
  for (const auto& request : {Request(kZapDomain, "CURVE", unknown),
                              Request(kZapDomain, "CURVE", ""),
                              Request(kZapDomain, "NULL", known),
                              Request("other", "CURVE", known),
                              Request(kZapDomain, "CURVE", known + "x"),
                              std::vector<absl::string_view>{},
                              {"1.0"}}) {
    const ZapVerdict verdict = JudgeZapRequest(*keys, request);
    EXPECT_FALSE(verdict.accepted);
    EXPECT_EQ(verdict.user_id, "");
    EXPECT_NE(verdict.reason, "");
    EXPECT_EQ(ZapReply(request, verdict)[2], "400");
  }
}

}  // namespace
}  // namespace zmq_backend
}  // namespace cluster::internal
