// The secured nng backend against those who are not whom they say they are.

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "transport/contract/recording_handler.h"
#include "transport/nng/handshake_budget.h"
#include "transport/nng/identity_proof.h"
#include "transport/nng/nng_transport.h"
#include "transport/nng/raw_stream.h"
#include "transport/nng/secured_nodes.h"
#include "transport/nng/wire.h"

namespace cluster {
namespace nng {
namespace {

constexpr std::chrono::seconds kPatience{60};

std::string Control(const std::string& message) {
  char length[kLengthBytes];
  StoreLength(static_cast<std::uint32_t>(message.size()) | kControlFlag,
              length);
  return std::string(length, kLengthBytes) + message;
}

std::string Greeting(bool secured) { return std::string(Preamble(secured)); }

std::string Wire(const std::string& text) {
  char length[kLengthBytes];
  StoreLength(static_cast<std::uint32_t>(text.size()), length);
  return std::string(length, kLengthBytes) + text;
}

// So long that a slow machine makes a handshake in it, and so short that not all
// of DialUntilSomeHaveNoTurn get to one.
constexpr absl::Duration kTurnTimeout = absl::Seconds(1);

// Servers 1, 2 and 3 have keys; 1 runs, and 2 if a test starts it.
class NngSecurityTest : public testing::Test {
 protected:
  void Start(absl::Duration handshake_timeout = absl::Seconds(60)) {
    TransportConfig config = keys_.ConfigOf(1);
    config.handshake_timeout = handshake_timeout;
    one_ = StartSecured(config);
    ASSERT_NE(one_, nullptr);
  }

  void StartTwo() {
    two_ = StartSecured(keys_.ConfigOf(2));
    ASSERT_NE(two_, nullptr);
    ConnectBoth(*one_, 1, *two_, 2);
    ExpectAlive();
  }

  // Both directions between 1 and 2 work, and each frame says whose it is.
  void ExpectAlive() {
    const std::string text = absl::StrCat("alive ", ++count_);
    EXPECT_TRUE(Delivers(*two_, 1, *one_, text));
    EXPECT_TRUE(Delivers(*one_, 2, *two_, text));
    for (const ReceivedFrame& frame : one_->handler.Get().frames) {
      EXPECT_EQ(frame.identity, 2);
    }
    for (const ReceivedFrame& frame : two_->handler.Get().frames) {
      EXPECT_EQ(frame.identity, 1);
    }
  }

  // A node with `config` dials 1 and is turned away, by 1.
  void ExpectRefused(const TransportConfig& config, RejectionKind kind) {
    auto other = StartSecured(config);
    ASSERT_NE(other, nullptr);
    ASSERT_TRUE(other->Connect(1, one_->transport->Address()).ok());
    EXPECT_EQ(other->Send(1, "evil"), SendResult::kSent);
    EXPECT_TRUE(one_->handler.WaitForRejection(kind));
    EXPECT_TRUE(other->handler.WaitForDisconnected(1));
    EXPECT_EQ(Recorded::Count(other->handler.Get().connected, 1), 0);
    EXPECT_FALSE(one_->handler.Get().HasFrame("evil"));
  }

  // A node with `config` dials 1 and turns it away.
  void ExpectRefuses(const TransportConfig& config, int peer) {
    auto other = StartSecured(config);
    ASSERT_NE(other, nullptr);
    ASSERT_TRUE(other->Connect(peer, one_->transport->Address()).ok());
    ASSERT_TRUE(
        other->handler.WaitForRejection(RejectionKind::kUnauthenticated));
    EXPECT_TRUE(other->handler.WaitForDisconnected(peer));
    EXPECT_TRUE(other->handler.Get().connected.empty());
    EXPECT_EQ(other->handler.Get().rejections[0].peer, peer);
  }

  // Strangers who say this, and are gone when it returns.
  void DialUntilSomeHaveNoTurn(const std::string& says) {
    const auto has_no_turn = [](const Recorded& r) {
      return std::any_of(r.rejections.begin(), r.rejections.end(),
                         [](const Rejection& rejection) {
                           return absl::StrContains(rejection.reason,
                                                    "it had no turn");
                         });
    };
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    std::vector<RawStream> strangers;
    do {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      strangers.clear();
      for (int i = 0; i < 4 * HandshakeBudget::kHandshakesMax; ++i) {
        strangers.push_back(RawStream::Dial(one_->transport->Address()));
        ASSERT_TRUE(strangers.back().ok()) << i;
        strangers.back().Write(says);
      }
    } while (!one_->handler.WaitFor(std::chrono::seconds(5), has_no_turn));
  }

  const TestKeys keys_{{1, 2, 3}};
  int count_ = 0;
  std::unique_ptr<TestNode> one_;
  std::unique_ptr<TestNode> two_;
};

TEST_F(NngSecurityTest, MembersReachEachOther) {
  Start();
  StartTwo();
  EXPECT_TRUE(one_->handler.Get().rejections.empty());
  EXPECT_TRUE(two_->handler.Get().rejections.empty());
}

TEST_F(NngSecurityTest, AForeignCertificateWithTheRightNameIsRefused) {
  Start();
  const TestKeys foreign({1, 2});
  TransportConfig config = foreign.ConfigOf(2);
  config.security->peers[1] = keys_.PublicFolder(1);
  ExpectRefused(config, RejectionKind::kUnauthenticated);
}

TEST_F(NngSecurityTest, AForeignServerIsNotSpokenTo) {
  Start();
  const TestKeys foreign({1});
  TransportConfig config = keys_.ConfigOf(2);
  config.security->peers[1] = foreign.PublicFolder(1);
  ExpectRefuses(config, 1);
}

TEST_F(NngSecurityTest, AMemberThatIsNotTheOneDialledIsNotSpokenTo) {
  Start();
  ExpectRefuses(keys_.ConfigOf(2), 3);
}

TEST_F(NngSecurityTest, ACertificateOfAnotherNameIsNotSpokenTo) {
  Start();
  TransportConfig config = keys_.ConfigOf(2);
  config.security->peers[3] = keys_.PublicFolder(1);
  ExpectRefuses(config, 3);
}

TEST_F(NngSecurityTest, ACertificateOfAnotherClusterIsNotSpokenTo) {
  Start();
  TransportConfig config = keys_.ConfigOf(2);
  config.cluster = "another";
  ExpectRefuses(config, 1);
}

TEST_F(NngSecurityTest, AnExpiredCertificateIsRefused) {
  const TestKeys expired({2}, /*starts_days_ago=*/20, /*validity_days=*/10);
  TransportConfig trusting = keys_.ConfigOf(1);
  trusting.security->peers[2] = expired.PublicFolder(2);
  one_ = StartSecured(trusting);
  ASSERT_NE(one_, nullptr);
  TransportConfig config = keys_.ConfigOf(2);
  config.security->identity = expired.OwnFolder(2);
  ExpectRefused(config, RejectionKind::kUnauthenticated);
}

TEST_F(NngSecurityTest, AnExpiredServerIsNotSpokenTo) {
  const TestKeys expired({1}, /*starts_days_ago=*/20, /*validity_days=*/10);
  TransportConfig config = keys_.ConfigOf(1);
  config.security->identity = expired.OwnFolder(1);
  one_ = StartSecured(config);
  ASSERT_NE(one_, nullptr);
  TransportConfig trusting = keys_.ConfigOf(2);
  trusting.security->peers[1] = expired.PublicFolder(1);
  ExpectRefuses(trusting, 1);
}

TEST_F(NngSecurityTest, WhoHasNoCertificateIsRefused) {
  Start();
  TlsClient client(one_->transport->Address(), "");
  EXPECT_FALSE(client.Write(Greeting(true)) && !client.WaitForEnd());
  EXPECT_TRUE(one_->handler.WaitForRejection(RejectionKind::kUnauthenticated));
  EXPECT_TRUE(absl::StrContains(one_->handler.Get().rejections[0].reason,
                                "no certificate"))
      << one_->handler.Get().rejections[0].reason;
}

TEST_F(NngSecurityTest, PlaintextIsRefusedBySecured) {
  Start();
  TransportConfig config;
  config.server_id = 2;
  auto plain = StartSecured(config);
  ASSERT_TRUE(plain->Connect(1, one_->transport->Address()).ok());
  EXPECT_EQ(plain->Send(1, "evil"), SendResult::kSent);
  EXPECT_TRUE(one_->handler.WaitForRejection(RejectionKind::kUnauthenticated));
  EXPECT_TRUE(plain->handler.WaitForDisconnected(1));
  EXPECT_EQ(one_->handler.Get().frame_count, 0u);
}

TEST_F(NngSecurityTest, SecuredIsRefusedByPlaintext) {
  Start();
  TransportConfig config;
  config.server_id = 2;
  auto plain = StartSecured(config);
  ASSERT_TRUE(one_->Connect(2, plain->transport->Address()).ok());
  EXPECT_TRUE(plain->handler.WaitForRejection(RejectionKind::kUnauthenticated));
  EXPECT_TRUE(absl::StrContains(plain->handler.Get().rejections[0].reason,
                                "speaks TLS"))
      << plain->handler.Get().rejections[0].reason;
  EXPECT_TRUE(one_->handler.WaitForDisconnected(2));
  EXPECT_TRUE(one_->handler.Get().connected.empty());
}

TEST_F(NngSecurityTest, AMemberThatClaimsAnothersIdIsRefusedAndThatOneIsNot) {
  Start();
  StartTwo();
  TransportConfig impostor = keys_.ConfigOf(3);
  impostor.server_id = 2;
  ExpectRefused(impostor, RejectionKind::kWrongIdentity);
  EXPECT_EQ(one_->handler.Get().rejections[0].peer, 2);
  ExpectAlive();
  EXPECT_EQ(Recorded::Count(one_->handler.Get().disconnected, 2), 0);
}

TEST_F(NngSecurityTest, AnImpostorOfAServerThatIsNotThereIsNeverBelieved) {
  Start(absl::Milliseconds(200));
  ASSERT_TRUE(one_->Connect(2, "127.0.0.1:1").ok());
  TransportConfig impostor = keys_.ConfigOf(3);
  impostor.server_id = 2;
  ExpectRefused(impostor, RejectionKind::kSilent);
}

// A member, whose key is good, but who keeps to nothing else.
TEST_F(NngSecurityTest, AMemberThatDoesNotProveItselfIsNotHeard) {
  Start();
  StartTwo();
  const std::string hello = Control(HelloMessage(3, LinkTag{}));
  struct Attempt {
    std::string bytes;
    RejectionKind kind;
  };
  const std::vector<Attempt> attempts = {
      {Greeting(false) + Wire("evil"), RejectionKind::kUnauthenticated},
      {Greeting(true) + Wire("evil"), RejectionKind::kUnauthenticated},
      {Greeting(true) + Wire(""), RejectionKind::kUnauthenticated},
      {Greeting(true) + hello + Wire("evil"), RejectionKind::kUnauthenticated},
      {Greeting(true) + hello + Control(ProofOf(Nonce{})) + Wire("evil"),
       RejectionKind::kWrongIdentity},
      {Greeting(true) + hello + hello, RejectionKind::kMalformed},
      {Greeting(true) + Control("nonsense"), RejectionKind::kMalformed},
      {"GET / HTTP/1.1\r\n\r\n", RejectionKind::kMalformed},
  };
  std::size_t rejected = one_->handler.Get().rejections.size();
  for (const Attempt& attempt : attempts) {
    TlsClient client(one_->transport->Address(), keys_.OwnFolder(3));
    EXPECT_TRUE(client.Write(attempt.bytes));
    ASSERT_TRUE(one_->handler.WaitFor([&](const Recorded& r) {
      return r.rejections.size() > rejected;
    })) << attempt.bytes;
    EXPECT_EQ(one_->handler.Get().rejections[rejected].kind, attempt.kind)
        << one_->handler.Get().rejections[rejected];
    ++rejected;
    EXPECT_TRUE(client.WaitForEnd());
  }
  ExpectAlive();
}

TEST_F(NngSecurityTest, GarbageIsRefused) {
  Start();
  StartTwo();
  for (const std::string& garbage :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(1000, '\0'),
        std::string("\x16\x03\x01\x01\x01garbage within a record") +
            std::string(600, 'g')}) {
    RawStream stream = RawStream::Dial(one_->transport->Address());
    ASSERT_TRUE(stream.Write(garbage));
    EXPECT_TRUE(stream.WaitForEnd());
  }
  EXPECT_TRUE(one_->handler.WaitFor(
      [](const Recorded& r) { return r.rejections.size() == 3; }));
  ExpectAlive();
}

TEST_F(NngSecurityTest, WhoStallsInTheHandshakeIsClosed) {
  Start(absl::Milliseconds(100));
  RawStream silent = RawStream::Dial(one_->transport->Address());
  RawStream stammering = RawStream::Dial(one_->transport->Address());
  ASSERT_TRUE(stammering.Write("\x16\x03\x01"));
  EXPECT_TRUE(silent.WaitForEnd());
  EXPECT_TRUE(stammering.WaitForEnd());
  EXPECT_TRUE(one_->handler.WaitForRejection(RejectionKind::kSilent));
}

TEST_F(NngSecurityTest, StalledHandshakesAreBoundedAndHoldUpNobody) {
  constexpr std::size_t kStalled = 500;
  Start();
  StartTwo();
  std::vector<RawStream> stalled;
  for (std::size_t i = 0; i < kStalled; ++i) {
    stalled.push_back(RawStream::Dial(one_->transport->Address()));
    ASSERT_TRUE(stalled.back().ok()) << i;
    ASSERT_TRUE(stalled.back().Write(i % 2 == 0 ? "" : "\x16\x03\x01"));
    if (i % 100 == 0) ExpectAlive();
  }
  // All but so many have been closed, oldest first.
  ASSERT_TRUE(one_->handler.WaitFor([](const Recorded& r) {
    return r.rejections.size() >= kStalled - IdentityProof::kUnprovenMax;
  }));
  EXPECT_TRUE(stalled[0].WaitForEnd());
  ExpectAlive();
  // And there is room for whoever is honest.
  auto three = StartSecured(keys_.ConfigOf(3));
  ASSERT_NE(three, nullptr);
  ConnectBoth(*one_, 1, *three, 3);
  EXPECT_TRUE(Delivers(*three, 1, *one_, "from three"));
  EXPECT_TRUE(Delivers(*one_, 3, *three, "to three"));
  EXPECT_EQ(Recorded::Count(one_->handler.Get().disconnected, 2), 0);
}

// Those of one address that fail, or that begin and say nothing more: until some
// have no turn before their time is over.
TEST_F(NngSecurityTest, HandshakesThatFailTakeTurns) {
  Start(kTurnTimeout);
  DialUntilSomeHaveNoTurn("GET / HTTP/1.1\r\n\r\n");
  StartTwo();
}

TEST_F(NngSecurityTest, HandshakesThatFallSilentTakeTurns) {
  Start(kTurnTimeout);
  DialUntilSomeHaveNoTurn("\x16\x03\x01");
  StartTwo();
}

TEST_F(NngSecurityTest, AServerThatComesBackProvesItselfAgain) {
  Start();
  StartTwo();
  const std::string address = two_->transport->Address();
  for (int life = 0; life < 3; ++life) {
    two_.reset();
    two_ = std::make_unique<TestNode>();
    auto transport = NewNngTransport(keys_.ConfigOf(2));
    ASSERT_TRUE(transport.ok()) << transport.status();
    two_->transport = *std::move(transport);
    ASSERT_TRUE(two_->transport->Start(&two_->handler, address).ok());
    ASSERT_TRUE(two_->Connect(1, one_->transport->Address()).ok());
    ASSERT_TRUE(two_->handler.WaitForConnected(1));
    EXPECT_TRUE(Delivers(*two_, 1, *one_, absl::StrCat("of life ", life)));
  }
}

TEST_F(NngSecurityTest, IpcIsRefusedWithWhatToDo) {
  auto transport = NewNngTransport(keys_.ConfigOf(1));
  ASSERT_TRUE(transport.ok()) << transport.status();
  RecordingHandler handler;
  const absl::Status status =
      (*transport)->Start(&handler, "ipc:///tmp/secured");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(status.message(), "127.0.0.1")) << status;
}

}  // namespace
}  // namespace nng
}  // namespace cluster
