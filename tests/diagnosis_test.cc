// Two servers that are configured against each other: what each screen says, over
// each transport.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cluster/codec/hello.h"
#include "cluster/server.h"
#include "cluster/transport/registry.h"
#include "cluster/transport/zmq/testing/raw_tcp.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "programs/keygen/keys.h"
#include "tests/harness/event_log.h"
#include "tests/harness/fresh_address.h"
#include "tests/harness/transports.h"
#include "tests/hostile/forgery.h"

namespace cluster::internal {
namespace {

using ::testing::HasSubstr;

// Servers of one process, each with a config of its own. The key is the number of
// the process; two may have one id.
class Screens {
 public:
  explicit Screens(const std::string& transport) {
    static int clusters = 0;
    base_.transport = transport;
    base_.cluster = absl::StrCat("diagnosis-", ++clusters);
    base_.peer_timeout = absl::Seconds(2);
    base_.heartbeat = absl::Milliseconds(500);
  }
  ~Screens() { StopAll(); }

  void Start(int process, int id,
             const std::function<void(Config*)>& change = nullptr) {
    Config config = base_;
    config.servers = {{id, FreshAddress(AddressKind::kIpv4)}};
    if (change) change(&config);
    absl::StatusOr<std::unique_ptr<Server>> server = NewServer(id, config);
    ASSERT_TRUE(server.ok()) << server.status();
    (*server)->OnPeerEvent(
        [this, process, sink = log_.Sink()](const PeerEvent& event) {
          sink(process, event);
        });
    (*server)->OnEnvelope([](const EnvelopeView&) {});
    const absl::Status status = (*server)->Start();
    ASSERT_TRUE(status.ok()) << status;
    servers_[process] = *std::move(server);
  }
  void Start(int id, const std::function<void(Config*)>& change = nullptr) {
    Start(id, id, change);
  }

  Server& operator[](int process) { return *servers_.at(process); }
  // `from` gets `to` as its peer.
  void Add(int from, int to) { AddAt(from, servers_[to]->Pid(), Address(to)); }
  void AddAt(int from, int id, const std::string& address) {
    const absl::Status status = servers_[from]->AddPeer(id, address);
    ASSERT_TRUE(status.ok()) << status;
  }
  std::string Address(int process) { return servers_[process]->Address(); }
  PeerStats Peer(int process, int peer) {
    return *servers_[process]->Stats().Peer(peer);
  }
  void StopAll() {
    for (auto& [process, server] : servers_) server->Stop();
  }

  void ExpectDown(int process, const std::string& text) {
    EXPECT_TRUE(log_.WaitFor(process, PeerEvent::kDown, text))
        << "no \"" << text << "\" among\n"
        << log_.Text();
  }
  void ExpectRejected(int process, const std::string& text) {
    EXPECT_TRUE(log_.WaitFor(process, PeerEvent::kRejected, text))
        << "no \"" << text << "\" among\n"
        << log_.Text();
  }
  void ExpectWarning(int process, const std::string& text) {
    EXPECT_TRUE(log_.WaitFor(process, PeerEvent::kWarning, text))
        << "no \"" << text << "\" among\n"
        << log_.Text();
  }
  EventLog& log() { return log_; }
  Config& base() { return base_; }

 private:
  Config base_;
  EventLog log_;
  std::map<int, std::unique_ptr<Server>> servers_;
};

class DiagnosisTest : public testing::TestWithParam<const char*> {
 protected:
  // Transports of which clusters of two names do not meet.
  bool KeepsClustersApart() const {
    return absl::string_view(GetParam()) == "memory";
  }

  Screens screens_{GetParam()};
};

TEST_P(DiagnosisTest, AWrongClusterName) {
  screens_.Start(1);
  screens_.Start(2, [](Config* config) { config->cluster = "an\nother"; });
  screens_.Add(1, 2);
  screens_.Add(2, 1);
  if (KeepsClustersApart()) {
    screens_.ExpectDown(1, "nobody listens at");
    screens_.ExpectDown(2, "nobody listens at");
    return;
  }
  const std::string one =
      absl::StrCat("server 1 is of \"", screens_.base().cluster,
                   "\", server 2 of \"an\\x0aother\"");
  screens_.ExpectRejected(1, absl::StrCat("wrong cluster: ", one));
  screens_.ExpectRejected(
      2, absl::StrCat("server 1 refuses this server: wrong cluster: ", one));
  screens_.ExpectRejected(2, "wrong cluster: server 2 is of \"an\\x0aother\"");
  screens_.ExpectDown(1, "wrong cluster");
  screens_.ExpectDown(2, "wrong cluster");
}

TEST_P(DiagnosisTest, APeerThatDoesNotListTheOther) {
  screens_.Start(1);
  screens_.Start(2);
  screens_.Add(2, 1);
  PeerEvent told;
  ASSERT_TRUE(screens_.log().WaitFor([&](const EventLog::Entry& entry) {
    told = entry.second;
    return entry.first == 1 && told.type == PeerEvent::kStranger;
  }));
  EXPECT_EQ(told.peer, 2);
  EXPECT_EQ(told.stranger.address, screens_.Address(2));
  EXPECT_EQ(told.stranger.source.empty(), KeepsClustersApart());
  EXPECT_THAT(told.reason, HasSubstr("is no member here"));
  screens_.ExpectDown(
      2, "connected, but server 1 does not answer: it may not list server 2");
  // An application may answer like this.
  screens_.AddAt(1, told.peer, told.stranger.address);
  EXPECT_TRUE(screens_.log().WaitUntilAllUp({1, 2}));
  EXPECT_EQ(screens_.Peer(2, 1).last_trouble, "");
}

// Which has no times of its own.
void BestEffort(Config* config) {
  config->delivery = Delivery::kBestEffort;
  config->heartbeat = Config().heartbeat;
  config->peer_timeout = Config().peer_timeout;
}

TEST_P(DiagnosisTest, ReliableAgainstBestEffort) {
  screens_.Start(1);
  screens_.Start(2, BestEffort);
  screens_.Add(1, 2);
  screens_.Add(2, 1);
  const std::string found =
      "server 2 has \"delivery\": \"best_effort\", server 1 \"reliable\"";
  screens_.ExpectRejected(2, absl::StrCat("wrong delivery: ", found));
  screens_.ExpectDown(2, found);
  screens_.ExpectRejected(
      1, absl::StrCat("server 2 refuses this server: ", found));
  screens_.ExpectDown(1, found);
  // Nothing that is sent there passes for acknowledged.
  while (screens_.Peer(2, 1).Dropped(DropReason::kUnsupported) == 0) {
    Envelope envelope;
    envelope.pid = 1;
    screens_[2].Send(envelope, absl::Seconds(30)).IgnoreError();
  }
  EXPECT_EQ(screens_.Peer(1, 2).received, 0u);
}

// A transport that says frames as some program may, and listens to none.
class Speaker final : private TransportHandler {
 public:
  Speaker(const std::string& backend, const std::string& cluster,
          const std::string& address) {
    TransportConfig config;
    config.cluster = cluster;
    transport_ = *(*FindTransport(backend))(config);
    EXPECT_TRUE(transport_->Start(this, FreshAddress(AddressKind::kIpv4)).ok());
    EXPECT_TRUE(transport_->Connect(kListener, address, 1).ok());
  }
  ~Speaker() override { transport_->Stop(absl::ZeroDuration()); }

  // False: there is no room now.
  bool Say(const FrameHeader& header, const std::string& body) {
    return transport_->Send(kListener,
                            Frame{{MakeSlice(MakeFrame(header, body))}}) ==
           SendResult::kSent;
  }

 private:
  static constexpr int kListener = 1;

  FrameVerdict OnFrame(ReceivedFrame) override {
    return FrameVerdict::kAccepted;
  }
  void OnDrained() override {}
  void OnWritable(int) override {}
  void OnConnected(int, std::uint64_t) override {}
  void OnDisconnected(int, std::uint64_t, absl::string_view) override {}
  void OnRejected(Rejection) override {}

  std::unique_ptr<Transport> transport_;
};

FrameHeader HeaderFrom(int sender, FrameKind kind) {
  FrameHeader header;
  header.kind = kind;
  header.sender_id = static_cast<std::uint32_t>(sender);
  header.destination_id = 1;
  return header;
}

Hello HelloOf(const std::string& cluster) {
  Hello hello;
  hello.versions = {kFrameVersionMin, kFrameVersionMax};
  hello.incarnation = hello.epoch = hello.nonce = 7;
  hello.cluster = cluster;
  return hello;
}

// The other side's own words are those of its library: here it is only frames.
TEST_P(DiagnosisTest, AnotherWireVersion) {
  screens_.Start(1);
  screens_.AddAt(1, 2, "127.0.0.1:0");
  Speaker speaker(GetParam(), screens_.base().cluster, screens_.Address(1));
  Hello hello = HelloOf(screens_.base().cluster);
  hello.versions = {3, 5};
  const auto refused = [&] {
    return screens_.Peer(1, 2).Refused(RefusalReason::kVersion);
  };
  while (refused() == 0) {
    speaker.Say(HeaderFrom(2, FrameKind::kHello), EncodeHello(hello));
    std::this_thread::yield();
  }
  screens_.ExpectRejected(
      1, "no version in common: server 1 speaks 2, server 2 3 to 5");
  screens_.ExpectDown(1, "no version in common");
  FrameHeader old = HeaderFrom(2, FrameKind::kControl);
  old.version = 1;
  const std::uint64_t before = refused();
  while (refused() == before) {
    speaker.Say(old, "");
    std::this_thread::yield();
  }
}

// No claim of theirs makes a server dial, or keep or say much.
TEST_P(DiagnosisTest, NothingIsDialledForStrangers) {
  constexpr int kStrangers = 10000;
  RawTcp victim = RawTcp::Listen("127.0.0.1:0");
  screens_.Start(1);
  Speaker speaker(GetParam(), screens_.base().cluster, screens_.Address(1));
  Hello hello = HelloOf(screens_.base().cluster);
  hello.address = victim.Address();
  const auto refused = [&] {
    return screens_[1].Stats().Refused(RefusalReason::kUnknownSender);
  };
  for (int stranger = 0; stranger < kStrangers; ++stranger) {
    ++hello.nonce;
    while (!speaker.Say(HeaderFrom(100 + stranger, FrameKind::kHello),
                        EncodeHello(hello))) {
      std::this_thread::yield();
    }
  }
  while (refused() < kStrangers * 9 / 10) std::this_thread::yield();
  EXPECT_FALSE(victim.IsDialled());
  int told = 0;
  for (const auto& [process, event] : screens_.log().Entries())
    told += event.type == PeerEvent::kStranger ? 1 : 0;
  EXPECT_GT(told, 0);
  EXPECT_LE(told, 64);
  EXPECT_TRUE(screens_[1].Peers().empty());
}

// Server 2 is thought to be where nobody listens, and knows the right address of
// server 1 itself.
TEST_P(DiagnosisTest, AWrongPort) {
  screens_.Start(1);
  screens_.Start(2);
  screens_.Start(3);
  const std::string nobody = screens_.Address(3);
  screens_[3].Stop();
  screens_.AddAt(1, 2, nobody);
  screens_.Add(2, 1);
  screens_.ExpectDown(1, absl::StrCat("but server 2 does greet this server"));
  screens_.ExpectDown(1, absl::StrCat("as \"", screens_.Address(2), "\""));
  screens_.ExpectDown(1, nobody);
  screens_.ExpectDown(2, "it may have a wrong address of server 2");
}

TEST_P(DiagnosisTest, TheAddressOfAnotherServer) {
  screens_.Start(1);
  screens_.Start(3);
  screens_.AddAt(1, 2, screens_.Address(3));
  screens_.ExpectRejected(
      3,
      "server 1, which is no member here, wants server 2: its address of "
      "that server leads here");
  screens_.ExpectDown(1, "its address here may be another server's");
  screens_.Add(3, 1);
  screens_.ExpectRejected(
      3, "server 1 sent a frame for server 2 to this server, 3");
}

TEST_P(DiagnosisTest, APeerThatNeverStarts) {
  screens_.Start(1);
  screens_.Start(2);
  const std::string nobody = screens_.Address(2);
  screens_[2].Stop();
  screens_.AddAt(1, 2, nobody);
  screens_.ExpectDown(1, nobody);
  const PeerStats stats = screens_.Peer(1, 2);
  EXPECT_GT(stats.last_trouble_at, absl::Now() - absl::Hours(1));
  EXPECT_LT(stats.last_trouble_at, absl::Now() + absl::Minutes(1));
}

TEST_P(DiagnosisTest, APeerThatNeverStartsUnderBestEffort) {
  screens_.Start(2);
  const std::string nobody = screens_.Address(2);
  screens_[2].Stop();
  screens_.Start(1, BestEffort);
  screens_.AddAt(1, 2, nobody);
  screens_.ExpectDown(1, nobody);
}

TEST_P(DiagnosisTest, TimesThatDoNotFit) {
  screens_.Start(1, [](Config* config) {
    config->heartbeat = absl::Seconds(2);
    config->peer_timeout = absl::Seconds(30);
  });
  screens_.Start(2, [](Config* config) {
    config->heartbeat = absl::Milliseconds(250);
    config->peer_timeout = absl::Milliseconds(1000);
  });
  screens_.Add(1, 2);
  screens_.Add(2, 1);
  for (int screen : {1, 2}) {
    screens_.ExpectWarning(
        screen, "server 1 has heartbeat_ms 2000 and peer_timeout_ms 30000");
    screens_.ExpectWarning(
        screen, "server 2 has heartbeat_ms 250 and peer_timeout_ms 1000");
  }
  // More than two heartbeats of server 1 would take in 2 s.
  ASSERT_TRUE(screens_.log().WaitUntilAllUp({1, 2}));
  const std::uint64_t heard = screens_.Peer(2, 1).frames_received;
  const absl::Time begun = absl::Now();
  while (screens_.Peer(2, 1).frames_received < heard + 5) {
    ASSERT_LT(absl::Now() - begun, absl::Seconds(60));
    std::this_thread::yield();
  }
}

TEST_P(DiagnosisTest, TwoProcessesWithOneId) {
  screens_.Start(1);
  screens_.Start(2);
  screens_.Add(1, 2);
  screens_.Add(2, 1);
  ASSERT_TRUE(screens_.log().WaitUntilAllUp({1, 2}));
  screens_.Start(22, 2);
  screens_.Add(22, 1);
  screens_.ExpectWarning(1, "two processes have the id 2: one greets ");
  screens_.ExpectWarning(1, absl::StrCat("as \"", screens_.Address(2), "\""));
  screens_.ExpectWarning(1, absl::StrCat("as \"", screens_.Address(22), "\""));
  screens_.ExpectWarning(2,
                         "server 1 reports that two processes have the id 2");
  screens_.ExpectDown(22, "or another process may be server 2");
}

TEST_P(DiagnosisTest, AHandlerThatIsSlow) {
  screens_.base().slow_handler = absl::Milliseconds(50);
  screens_.Start(1);
  absl::StatusOr<std::unique_ptr<Server>> server = [&] {
    Config config = screens_.base();
    config.servers = {{2, FreshAddress(AddressKind::kIpv4)}};
    return NewServer(2, config);
  }();
  ASSERT_TRUE(server.ok());
  (*server)->OnPeerEvent([sink = screens_.log().Sink()](
                             const PeerEvent& event) { sink(2, event); });
  (*server)->OnEnvelope([&](const EnvelopeView&) {
    while ((*server)->Stats().slow_handlers == 0) std::this_thread::yield();
  });
  ASSERT_TRUE((*server)->Start().ok());
  Envelope envelope;
  envelope.pid = 2;
  ASSERT_TRUE((*server)->Send(envelope).ok());
  EXPECT_TRUE(screens_.log().WaitFor(2, PeerEvent::kWarning,
                                     "a handler of server 2 runs for more than "
                                     "50ms (slow_handler_ms)"));
  (*server)->Stop();
  EXPECT_EQ((*server)->Stats().slow_handlers, 1u);
}

INSTANTIATE_TEST_SUITE_P(Backends, DiagnosisTest,
                         testing::ValuesIn(AllTransports()), TransportName);

// With keys: SECURED backends only.
class KeyDiagnosisTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    keys_.cluster = screens_.base().cluster;
    keys_.server_ids = {1, 2, kOther};
    keys_.folder = absl::StrCat(ScratchFolder(), "/", keys_.cluster);
    ASSERT_TRUE(MakeKeys(keys_).ok());
  }

  std::function<void(Config*)> Knowing(int self, std::vector<int> peers) {
    return [this, self, peers](Config* config) {
      config->security.mode = SecurityConfig::Mode::kMutual;
      config->security.identity = absl::StrCat(keys_.folder, "/", self);
      for (int peer : peers) {
        config->security.peer_folders[peer] =
            absl::StrCat(keys_.folder, "/public/", peer);
      }
    };
  }

  static std::string Backend() {
    return std::string(GetParam()).substr(std::string("secured_").size());
  }

  static constexpr int kOther = 9;

  Screens screens_{Backend()};
  KeyRequest keys_;
};

TEST_P(KeyDiagnosisTest, NoKeyForThePeer) {
  screens_.Start(1, Knowing(1, {kOther}));
  screens_.Start(2, Knowing(2, {1}));
  screens_.Add(1, 2);
  screens_.Add(2, 1);
  screens_.ExpectRejected(1, "unauthenticated: ");
  screens_.ExpectDown(1, "server 2");
  screens_.ExpectDown(2, screens_.Address(1));
  EXPECT_THAT(screens_.Peer(1, 2).last_trouble, HasSubstr("server 2"));
}

INSTANTIATE_TEST_SUITE_P(Backends, KeyDiagnosisTest,
                         testing::ValuesIn(SecuredTransports()), TransportName);

}  // namespace
}  // namespace cluster::internal
