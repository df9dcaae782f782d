// A secured backend on byte streams: members reach each other, and impostors do not.

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cluster/transport/contract/recording_handler.h"
#include "cluster/transport/stream/preamble.h"
#include "cluster/transport/stream/testing/raw_stream.h"
#include "cluster/transport/stream/testing/tls_end.h"
#include "gtest/gtest.h"
#include "tests/streams/backend.h"
#include "tests/streams/secured_nodes.h"

namespace cluster::internal {
namespace streams {
namespace {

using stream::RawStream;
using stream::TestKeys;
using stream::TlsEnd;

std::string Wire(const std::string& text) {
  char length[stream::kLengthBytes];
  stream::StoreLength(static_cast<std::uint32_t>(text.size()), length);
  return std::string(length, stream::kLengthBytes) + text;
}

// A folder with a short path, as socket files need it.
class SocketFolder {
 public:
  SocketFolder() { EXPECT_NE(mkdtemp(&path_[0]), nullptr); }
  ~SocketFolder() { rmdir(path_.c_str()); }

  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/strXXXXXX";
};

bool HasReason(const Recorded& recorded, const std::string& text) {
  return std::any_of(recorded.rejections.begin(), recorded.rejections.end(),
                     [&](const Rejection& rejection) {
                       return absl::StrContains(rejection.reason, text);
                     });
}

std::string Reasons(const TestNode& node) {
  std::string all;
  for (const Rejection& rejection : node.handler.Get().rejections) {
    absl::StrAppend(&all, rejection.reason, "\n");
  }
  return all;
}

// Servers 1, 2 and 3 have keys; 1 runs, and 2 if a test starts it.
class SecurityTest : public testing::TestWithParam<const char*> {
 protected:
  void Start() {
    one_ = StartSecured(keys_.ConfigOf(1), Address());
    ASSERT_NE(one_, nullptr);
  }

  std::string Address() {
    return std::string(GetParam()) == "ipv4"
               ? "127.0.0.1:0"
               : absl::StrCat("ipc://", sockets_.path(), "/", ++sockets_made_);
  }

  void StartTwo() {
    two_ = StartSecured(keys_.ConfigOf(2), Address());
    ASSERT_NE(two_, nullptr);
    ConnectBoth(*one_, 1, *two_, 2);
    ExpectAlive();
  }

  // Both directions between 1 and 2 work, and each frame has its sender's id.
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

  // A node with `config` dials 1 as `peer`. One of the two refuses, both report
  // it in these words, and no frame arrives.
  void ExpectBothTell(const TransportConfig& config, int peer,
                      const std::string& listener_tells,
                      const std::string& dialler_tells) {
    auto other = StartSecured(config);
    ASSERT_NE(other, nullptr);
    ASSERT_TRUE(other->Connect(peer, one_->transport->Address()).ok());
    EXPECT_EQ(other->Send(peer, "evil"), SendResult::kSent);
    EXPECT_TRUE(one_->handler.WaitFor([&](const Recorded& r) {
      return HasReason(r, listener_tells);
    })) << Reasons(*one_);
    EXPECT_TRUE(other->handler.WaitFor([&](const Recorded& r) {
      return HasReason(r, dialler_tells) &&
             absl::StrContains(r.reason, dialler_tells);
    })) << Reasons(*other);
    ASSERT_FALSE(HasFailure());
    EXPECT_EQ(other->handler.Get().rejections[0].peer, peer);
    EXPECT_EQ(other->handler.Get().rejections[0].kind,
              RefusalReason::kUnauthenticated);
    EXPECT_EQ(one_->handler.Get().rejections[0].kind,
              RefusalReason::kUnauthenticated);
    EXPECT_TRUE(other->handler.Get().connected.empty());
    EXPECT_FALSE(one_->handler.Get().HasFrame("evil"));
  }

  const TestKeys keys_{{1, 2, 3}};
  const SocketFolder sockets_;
  int sockets_made_ = 0;
  int count_ = 0;
  std::unique_ptr<TestNode> one_;
  std::unique_ptr<TestNode> two_;
};

TEST_P(SecurityTest, MembersReachEachOther) {
  Start();
  StartTwo();
  EXPECT_TRUE(one_->handler.Get().rejections.empty());
  EXPECT_TRUE(two_->handler.Get().rejections.empty());
}

TEST_P(SecurityTest, OneDirectionIsEnough) {
  Start();
  two_ = StartSecured(keys_.ConfigOf(2), Address());
  ASSERT_TRUE(two_->Connect(1, one_->transport->Address()).ok());
  EXPECT_TRUE(Delivers(*two_, 1, *one_, "one way"));
  EXPECT_EQ(one_->handler.Get().frames[0].identity, 2);
}

// Server 9 is not a member of the cluster yet, but proves its identity.
TEST_P(SecurityTest, APinnedServerIsKnownWhetherOrNotItIsDialled) {
  const TestKeys newcomer({9});
  TransportConfig config = keys_.ConfigOf(1);
  config.security->peers[9] = newcomer.PublicFolder(9);
  one_ = StartSecured(config, Address());
  TransportConfig nine = newcomer.ConfigOf(9);
  nine.security->peers[1] = keys_.PublicFolder(1);
  auto node = StartSecured(nine);
  ASSERT_TRUE(node->Connect(1, one_->transport->Address()).ok());
  EXPECT_TRUE(Delivers(*node, 1, *one_, "may I join"));
  EXPECT_EQ(one_->handler.Get().frames[0].identity, 9);
}

TEST_P(SecurityTest, LargeAndSmallFramesArriveAsTheyWere) {
  Start();
  StartTwo();
  std::vector<std::string> texts;
  for (std::size_t bytes :
       {0u, 1u, 16383u, 16384u, 16385u, 131072u, 1u << 20, 5u << 20, 3u}) {
    std::string text(bytes, '\0');
    for (std::size_t i = 0; i < bytes; ++i) {
      text[i] = static_cast<char>(i * 131 + i / 251 + bytes);
    }
    texts.push_back(text);
    while (two_->Send(1, text) == SendResult::kBackPressured) {
      const int before = two_->handler.writable(1);
      EXPECT_TRUE(two_->handler.WaitForWritable(1, before + 1) || before > 0);
    }
  }
  ASSERT_TRUE(one_->handler.WaitForFrames(1 + texts.size()));
  std::vector<std::string> arrived = one_->handler.Texts();
  arrived.erase(arrived.begin());
  EXPECT_TRUE(arrived == texts);
}

TEST_P(SecurityTest, AnUnknownCertificateWithTheRightName) {
  Start();
  const TestKeys foreign({1, 2});
  TransportConfig config = foreign.ConfigOf(2);
  config.security->peers[1] = keys_.PublicFolder(1);
  ExpectBothTell(config, 1, "its certificate (server-2.cluster) is unknown",
                 "it does not take this server's certificate: unknown");
}

TEST_P(SecurityTest, ACertificateOfAnotherCluster) {
  Start();
  const TestKeys foreign({1, 2}, 1, 365, "another");
  TransportConfig config = foreign.ConfigOf(2);
  config.security->peers[1] = keys_.PublicFolder(1);
  ExpectBothTell(config, 1, "made out to server-2.another",
                 "certificate: of another cluster");
}

TEST_P(SecurityTest, AForeignServerIsNotSpokenTo) {
  Start();
  const TestKeys foreign({1});
  TransportConfig config = keys_.ConfigOf(2);
  config.security->peers[1] = foreign.PublicFolder(1);
  ExpectBothTell(config, 1, "certificate: unknown",
                 "its certificate (server-1.cluster) is unknown");
}

TEST_P(SecurityTest, AMemberThatIsNotTheOneDialledIsNotSpokenTo) {
  Start();
  ExpectBothTell(keys_.ConfigOf(2), 3, "of another server than it wanted",
                 "its certificate is server 1's, and server 3 was dialled");
}

// The certificate was good when its server started.
TEST_P(SecurityTest, AnExpiredCertificateIsRefused) {
  const TestKeys expired({2}, /*starts_days_ago=*/20, /*validity_days=*/10);
  TransportConfig config = keys_.ConfigOf(1);
  config.security->peers[2] = expired.PublicFolder(2);
  one_ = StartSecured(config);
  ASSERT_NE(one_, nullptr);
  bool listed = false;
  for (const PinnedCertificate& one : one_->transport->Certificates())
    listed = listed || (one.server == 2 && one.valid_until < absl::Now());
  EXPECT_TRUE(listed);
  TlsEnd client(expired.OwnFolder(2));
  client.Connect(RawStream::Dial(one_->transport->Address()));
  client.WaitForEnd();
  EXPECT_TRUE(one_->handler.WaitFor([&](const Recorded& r) {
    return HasReason(r,
                     ": TLS handshake: its certificate (server-2.cluster) "
                     "expired on 20");
  })) << Reasons(*one_);
}

TEST_P(SecurityTest, PlaintextAgainstSecured) {
  Start();
  TransportConfig config;
  config.server_id = 2;
  ExpectBothTell(config, 1, "it speaks plaintext, and this server is secured",
                 "it is secured and takes no plaintext");
}

TEST_P(SecurityTest, SecuredAgainstPlaintext) {
  TransportConfig config;
  config.server_id = 1;
  one_ = StartSecured(config, Address());
  ExpectBothTell(keys_.ConfigOf(2), 1,
                 "it speaks TLS, but this server has no security configured",
                 "it has no security configured and takes no TLS");
}

// The member's key is good, but it breaks the protocol.
TEST_P(SecurityTest, AMemberThatSpeaksAnythingElseIsShutOut) {
  one_ = StartSecured(keys_.ConfigOf(1));
  two_ = StartSecured(keys_.ConfigOf(2));
  ConnectBoth(*one_, 1, *two_, 2);
  ExpectAlive();
  const std::pair<std::string, std::string> attempts[] = {
      {std::string("CLNS\1\1\0\0", 8) + Wire("evil"), "another version"},
      {"GET / HTTP/1.1\r\n\r\n", "does not speak this protocol"},
      {std::string(stream::Preamble()) + "\xff\xff\xff\xff",
       "announces a frame of more than"},
  };
  for (const auto& [bytes, reason] : attempts) {
    TlsEnd client(keys_.OwnFolder(3));
    ASSERT_TRUE(client.Connect(RawStream::Dial(one_->transport->Address())));
    EXPECT_TRUE(client.Write(bytes));
    ASSERT_TRUE(one_->handler.WaitFor([&reason = reason](const Recorded& r) {
      return HasReason(r, reason);
    })) << Reasons(*one_);
    EXPECT_EQ(one_->handler.Get().rejections.back().peer, 3);
    client.stream().Finish();
    client.WaitForEnd();
  }
  ExpectAlive();
}

TEST_P(SecurityTest, AServerThatComesBackProvesItselfAgain) {
  Start();
  StartTwo();
  const std::string address = two_->transport->Address();
  for (int life = 0; life < 3; ++life) {
    two_.reset();
    two_ = StartSecured(keys_.ConfigOf(2), address);
    ASSERT_NE(two_, nullptr);
    ASSERT_TRUE(two_->Connect(1, one_->transport->Address()).ok());
    ASSERT_TRUE(two_->handler.WaitForConnected(1));
    EXPECT_TRUE(Delivers(*two_, 1, *one_, absl::StrCat("of life ", life)));
  }
}

INSTANTIATE_TEST_SUITE_P(Addresses, SecurityTest,
                         testing::Values("ipv4", "ipc"), [](const auto& info) {
                           return std::string(info.param);
                         });

}  // namespace
}  // namespace streams
}  // namespace cluster::internal
