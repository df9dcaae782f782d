// A secured socket admits the peers that the ZAP handler knows. Without a
// handler, or an answer, it admits nobody.

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/transport/contract/recording_handler.h"
#include "cluster/transport/zmq/context.h"
#include "cluster/transport/zmq/curve_keys.h"
#include "cluster/transport/zmq/inbound.h"
#include "cluster/transport/zmq/settings.h"
#include "cluster/transport/zmq/zap.h"
#include "gtest/gtest.h"
#include "programs/keygen/keys.h"
#include "zmq.hpp"

namespace cluster::internal {
namespace zmq_backend {
namespace {

constexpr int kHandshakeMs = 300;

class CurveTest : public testing::Test {
 protected:
  void SetUp() override {
    request_.cluster = "curve";
    request_.server_ids = {1, 2, 3};
    request_.folder = absl::StrCat(testing::TempDir(), "/zapXXXXXX");
    ASSERT_NE(mkdtemp(&request_.folder[0]), nullptr);
    ASSERT_TRUE(MakeKeys(request_).ok());
    sockets_.settings.frame_bytes_max = 1000;
    sockets_.settings.handshake_ms = kHandshakeMs;
    sockets_.settings.secured = true;
    sockets_.keys = std::make_unique<CurveKeyRing>(Keys(1));
    sockets_.context = NewContext(sockets_.settings);
  }
  void TearDown() override {
    if (inbound_ != nullptr) inbound_->Stop();
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
    auto inbound = Inbound::Open(&sockets_, address, &handler_);
    ASSERT_TRUE(inbound.ok()) << inbound.status();
    inbound_ = *std::move(inbound);
    ASSERT_EQ(inbound_->Start(), absl::OkStatus());
  }

  // A client with server `id`'s good keys that has sent a frame.
  zmq::socket_t DialAs(int id, const std::string& text) {
    zmq::socket_t push(client_context_, zmq::socket_type::push);
    SetUpPush(sockets_.settings, inbound_->address(), &push);
    const auto keys = Keys(id);
    SecurePush(*keys, *keys->FindPeer(1), &push);
    push.connect("tcp://" + ToString(inbound_->address()));
    push.send(zmq::buffer(text), zmq::send_flags::none);
    return push;
  }

  // Waits until so many frames have arrived.
  bool Arrive(std::size_t frames) {
    return WaitFor([=](const Recorded& r) { return r.frame_count >= frames; });
  }
  // Waits until so many messages and connections have been rejected.
  bool AreRejected(std::size_t rejections) {
    return WaitFor([=](const Recorded& r) {
      EXPECT_EQ(r.frame_count, 0u);
      return r.rejections.size() >= rejections;
    });
  }
  // Does the events' thread's part.
  bool WaitFor(const RecordingHandler::Condition& condition) {
    constexpr std::chrono::milliseconds kSlice{5};
    constexpr int kSlices = 6000;
    for (int i = 0; i < kSlices; ++i) {
      inbound_->ReportRejections();
      if (handler_.WaitFor(kSlice, condition)) return true;
    }
    return false;
  }
  ReceivedFrame LastFrame() const { return handler_.Get().frames.back(); }
  Rejection LastRejection() const { return handler_.Get().rejections.back(); }

  std::unique_ptr<ZapHandler> StartZap() {
    auto zap = ZapHandler::Start(sockets_.context.get(), sockets_.keys.get(),
                                 &handler_);
    EXPECT_TRUE(zap.ok()) << zap.status();
    return *std::move(zap);
  }

  KeyRequest request_;
  zmq::context_t client_context_;
  RecordingHandler handler_;
  Sockets sockets_;
  std::unique_ptr<Inbound> inbound_;
};

TEST_F(CurveTest, AKnownKeyIsLetInUnderItsServersId) {
  const auto zap = StartZap();
  Listen();
  const zmq::socket_t two = DialAs(2, "from two");
  ASSERT_TRUE(Arrive(1));
  EXPECT_EQ(LastFrame().slice.bytes, "from two");
  EXPECT_EQ(LastFrame().identity, 2);
  const zmq::socket_t three = DialAs(3, "from three");
  ASSERT_TRUE(Arrive(2));
  EXPECT_EQ(LastFrame().identity, 3);
}

// The keys are good; ZeroMQ by itself would let them in.
TEST_F(CurveTest, WithoutAHandlerNobodyIsLetIn) {
  Listen();
  const zmq::socket_t two = DialAs(2, "from two");
  EXPECT_TRUE(AreRejected(2));
}

TEST_F(CurveTest, AfterTheHandlersEndNobodyIsLetIn) {
  StartZap().reset();
  Listen();
  const zmq::socket_t two = DialAs(2, "from two");
  EXPECT_TRUE(AreRejected(1));
  // With one, the same client gets in with its next attempt.
  const auto zap = StartZap();
  ASSERT_TRUE(Arrive(1));
  EXPECT_EQ(LastFrame().identity, 2);
}

// One that takes requests and never answers.
TEST_F(CurveTest, WhileTheHandlerHangsNobodyIsLetIn) {
  zmq::socket_t hanging(*sockets_.context, zmq::socket_type::rep);
  hanging.bind(kZapEndpoint);
  Listen();
  const zmq::socket_t two = DialAs(2, "from two");
  zmq::message_t request;
  ASSERT_TRUE(hanging.recv(request, zmq::recv_flags::none).has_value());
  ASSERT_TRUE(AreRejected(1));
  EXPECT_EQ(LastRejection().kind, RefusalReason::kSilent) << LastRejection();
  hanging.set(zmq::sockopt::linger, 0);
}

// One that lets everybody in and does not say who that is.
TEST_F(CurveTest, WhoIsLetInAsNobodyIsNotHeard) {
  zmq::socket_t lax(*sockets_.context, zmq::socket_type::rep);
  lax.set(zmq::sockopt::linger, 0);
  lax.bind(kZapEndpoint);
  Listen();
  std::size_t rejections = 0;
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
    ASSERT_TRUE(AreRejected(++rejections));
    EXPECT_EQ(LastRejection().kind, RefusalReason::kUnauthenticated);
    EXPECT_EQ(LastRejection().reason,
              "a message came on a connection that proved nothing");
  }
}

TEST_F(CurveTest, FramesOfARevokedKeyAreNobodys) {
  const auto zap = StartZap();
  Listen();
  zmq::socket_t two = DialAs(2, "before");
  ASSERT_TRUE(Arrive(1));
  SecurityFiles files;
  files.identity = absl::StrCat(request_.folder, "/1");
  files.peers[3] = absl::StrCat(request_.folder, "/public/3");
  const auto keys = LoadCurveKeys(files, sockets_.keys->Get().get());
  ASSERT_TRUE(keys.ok()) << keys.status();
  ASSERT_EQ(inbound_->UseKeys(*keys), absl::OkStatus());
  two.send(zmq::str_buffer("after"), zmq::send_flags::none);
  ASSERT_TRUE(WaitFor([](const Recorded& r) { return !r.rejections.empty(); }));
  EXPECT_EQ(LastRejection().kind, RefusalReason::kUnauthenticated);
  EXPECT_EQ(LastRejection().peer, 2);
  EXPECT_EQ(LastFrame().slice.bytes, "before");
}

TEST_F(CurveTest, AListenerWithOtherKeysTakesTheSameAddress) {
  const auto zap = StartZap();
  Listen();
  const Address address = inbound_->address();
  const zmq::socket_t old = DialAs(2, "by the old key");
  ASSERT_TRUE(Arrive(1));
  KeyRequest request = request_;
  request.server_ids = {1};
  request.replace = true;
  ASSERT_TRUE(MakeKeys(request).ok());
  ASSERT_EQ(inbound_->UseKeys(Keys(1)), absl::OkStatus());
  EXPECT_EQ(ToString(inbound_->address()), ToString(address));
  const zmq::socket_t fresh = DialAs(2, "by the new key");
  ASSERT_TRUE(Arrive(2));
  EXPECT_EQ(LastFrame().slice.bytes, "by the new key");
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
      JudgeZapRequest(*keys, Request(kZapDomain, "CURVE", known)).accepted());
  for (const auto& request : {Request(kZapDomain, "CURVE", unknown),
                              Request(kZapDomain, "CURVE", ""),
                              Request(kZapDomain, "NULL", known),
                              Request("other", "CURVE", known),
                              Request(kZapDomain, "CURVE", known + "x"),
                              std::vector<absl::string_view>{},
                              {"1.0"}}) {
    const ZapVerdict verdict = JudgeZapRequest(*keys, request);
    EXPECT_FALSE(verdict.accepted());
    EXPECT_EQ(verdict.user_id, "");
    EXPECT_NE(verdict.reason, "");
    EXPECT_EQ(ZapReply(request, verdict)[2], "400");
  }
}

}  // namespace
}  // namespace zmq_backend
}  // namespace cluster::internal
