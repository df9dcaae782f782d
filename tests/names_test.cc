// Peers by name, with name servers in every kind of trouble. A name in trouble is
// its peer's trouble only.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "cluster/base/mutex.h"
#include "cluster/transport/address.h"
#include "cluster/transport/resolver/testing/dns_server.h"
#include "cluster/transport/zmq/testing/raw_tcp.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "programs/keygen/keys.h"
#include "tests/harness/test_cluster.h"
#include "tests/harness/transports.h"

namespace cluster::internal {
namespace {

using std::chrono::steady_clock;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr absl::Duration kPatience = absl::Seconds(30);
constexpr absl::Duration kLinger = absl::Milliseconds(100);
// Less than a look-up without an answer takes.
constexpr absl::Duration kAtOnce = absl::Seconds(2);

// Of one look-up: two for each family.
constexpr int kQuestionsInVain = 4;

// On loopback; nobody listens there.
constexpr char kDead[] = "127.99.9.9";

// Takes time from when it is made.
class StopWatch {
 public:
  absl::Duration elapsed() const {
    return absl::FromChrono(steady_clock::now() - begin_);
  }

 private:
  const steady_clock::time_point begin_ = steady_clock::now();
};

class NamesTest : public testing::TestWithParam<const char*> {
 protected:
  // Servers dial each other by name; a name has the address of its server.
  ClusterSpec Spec(std::vector<int> ids) {
    ClusterSpec spec;
    absl::string_view transport = GetParam();
    spec.secured = absl::ConsumePrefix(&transport, "secured_");
    spec.config.transport = std::string(transport);
    spec.config.linger = kLinger;
    spec.ids = std::move(ids);
    spec.route = [this](int, int to, const std::string& address) {
      return Named(to, address, {HostOf(address)});
    };
    spec.on_envelope = [this](int receiver, const EnvelopeView&) {
      MutexLock lock(&mutex_);
      ++arrived_[receiver];
      changed_.NotifyAll();
    };
    spec.on_event = [this](int observer, const PeerEvent& event) {
      MutexLock lock(&mutex_);
      events_.emplace_back(observer, event);
      changed_.NotifyAll();
    };
    return spec;
  }

  static std::string HostOf(const std::string& address) {
    return ParseAddress(address)->host;
  }
  static std::string NameOf(int id) { return absl::StrCat("s", id, ".test"); }

  // The address of a server by a name with these numbers.
  std::string Named(int id, const std::string& address,
                    std::vector<std::string> numbers) {
    dns_.Set(NameOf(id), std::move(numbers));
    return absl::StrCat(NameOf(id), ":", ParseAddress(address)->port);
  }

  template <typename Condition>
  bool Await(Condition condition) {
    MutexLock lock(&mutex_);
    return changed_.WaitFor(&mutex_, absl::ToChronoNanoseconds(kPatience), [&] {
      mutex_.AssertHeld();
      return condition();
    });
  }
  int Count(int observer, int peer, PeerEvent::Type type) {
    MutexLock lock(&mutex_);
    int seen = 0;
    for (const auto& [by, event] : events_)
      seen += by == observer && event.peer == peer && event.type == type;
    return seen;
  }

  // One envelope each way, which both take and acknowledge.
  void Ping(TestCluster& cluster, int one, int other) {
    for (const auto& [from, to] : {std::pair(one, other), {other, one}}) {
      Envelope envelope;
      envelope.pid = to;
      ASSERT_EQ(cluster.server(from).Send(envelope), absl::OkStatus());
      ASSERT_EQ(cluster.server(from).Flush(to, kPatience), absl::OkStatus());
    }
  }

  void ExpectTrouble(TestCluster& cluster, int at, int peer,
                     const std::string& words) {
    std::string trouble;
    const steady_clock::time_point deadline =
        steady_clock::now() + absl::ToChronoNanoseconds(kPatience);
    do {
      const ServerStats stats = cluster.Stats(at);
      for (const PeerStats& stat : stats.peers)
        if (stat.peer == peer) trouble = stat.last_trouble;
    } while (!absl::StrContains(trouble, words) &&
             steady_clock::now() < deadline);
    EXPECT_THAT(trouble, HasSubstr(words));
  }

  DnsServer dns_;
  Mutex mutex_;
  CondVar changed_;
  std::map<int, int> arrived_ CLUSTER_GUARDED_BY(mutex_);
  std::vector<std::pair<int, PeerEvent>> events_ CLUSTER_GUARDED_BY(mutex_);
};

using DeadNamesTest = NamesTest;

TEST_P(DeadNamesTest, HoldUpNobodyElse) {
  constexpr int kLost = 3;
  TestCluster cluster(Spec({1, 2}));
  ASSERT_TRUE(cluster.Start());
  Ping(cluster, 1, 2);
  dns_.SetDark(true);
  for (int id : {1, 2}) {
    const StopWatch addition;
    ASSERT_EQ(cluster.server(id).AddPeer(kLost, "s3.test:7000"),
              absl::OkStatus());
    EXPECT_LT(addition.elapsed(), kAtOnce);
  }
  // Until each server has looked it up in vain, and looks it up again.
  const int questions = 2 * kQuestionsInVain + 1;
  while (!HasFailure() && dns_.questions(NameOf(kLost)) < questions)
    Ping(cluster, 1, 2);
  EXPECT_EQ(Count(1, 2, PeerEvent::kDown), 0);
  EXPECT_EQ(Count(2, 1, PeerEvent::kDown), 0);
  ExpectTrouble(cluster, 1, kLost,
                "host \"s3.test\" does not resolve: no name server answered in "
                "time (asked 127.0.0.1); only the hosts file and DNS are read");

  const StopWatch removal;
  ASSERT_EQ(cluster.server(1).RemovePeer(kLost), absl::OkStatus());
  EXPECT_LT(removal.elapsed(), kAtOnce);
  for (int id : {1, 2}) {
    const StopWatch stop;
    cluster.Stop(id);
    EXPECT_LT(stop.elapsed(), kLinger + kAtOnce);
  }
}

TEST_P(DeadNamesTest, TenDoNotKeepTwoPeersFromMeeting) {
  ClusterSpec spec = Spec({1, 2});
  spec.make_server = [this](int id, const Config& config) {
    auto server = NewServer(id, config);
    for (int dead = 10; server.ok() && dead < 20; ++dead) {
      dns_.Set(NameOf(dead), DnsServer::kSilence);
      EXPECT_TRUE(
          (*server)->AddPeer(dead, absl::StrCat(NameOf(dead), ":7000")).ok());
    }
    return server;
  };
  TestCluster cluster(spec);
  ASSERT_TRUE(cluster.Start());
  Ping(cluster, 1, 2);
  // Of each server less than five rounds.
  EXPECT_LT(dns_.questions(NameOf(10)), 2 * 5 * kQuestionsInVain);
}

TEST_P(DeadNamesTest, ComeToLifeWhenTheirNameServerDoes) {
  TestCluster cluster(Spec({1, 2}));
  dns_.SetDark(true);
  ASSERT_TRUE(cluster.Start());
  EXPECT_TRUE(dns_.AwaitQuestions(NameOf(1), 1));
  dns_.SetDark(false);
  Ping(cluster, 1, 2);
}

// It waits for its peer's name, and then for its peer.
TEST_P(DeadNamesTest, AreNoLossForWhatIsSentInBestEffort) {
  ClusterSpec spec = Spec({1, 2});
  spec.config.delivery = Delivery::kBestEffort;
  dns_.Set(NameOf(2), DnsServer::kHeld);
  TestCluster cluster(spec);
  ASSERT_TRUE(cluster.Start());
  ASSERT_TRUE(dns_.AwaitQuestions(NameOf(2), 1));
  for (int i = 0; i < 100; ++i) {
    Envelope envelope;
    envelope.pid = 2;
    ASSERT_EQ(cluster.server(1).Send(envelope), absl::OkStatus());
  }
  dns_.Set(NameOf(2), DnsServer::kNone);
  EXPECT_TRUE(Await([this] { return arrived_[2] == 100; }));
}

// So a short program may send, and stop.
TEST_P(DeadNamesTest, AreGivenTheirTimeToLinger) {
  ClusterSpec spec = Spec({1, 2});
  spec.config.delivery = Delivery::kBestEffort;
  spec.config.linger = kPatience;
  dns_.Set(NameOf(2), DnsServer::kHeld);
  TestCluster cluster(spec);
  ASSERT_TRUE(cluster.Start());
  Envelope envelope;
  envelope.pid = 2;
  ASSERT_EQ(cluster.server(1).Send(envelope), absl::OkStatus());
  ASSERT_TRUE(dns_.AwaitQuestions(NameOf(2), 1));
  std::thread stopping([&] { cluster.Stop(1); });
  dns_.Set(NameOf(2), DnsServer::kNone);
  stopping.join();
  EXPECT_TRUE(Await([this] { return arrived_[2] == 1; }));
}

INSTANTIATE_TEST_SUITE_P(Backends, DeadNamesTest,
                         testing::ValuesIn(SocketTransports()), TransportName);

TEST_P(NamesTest, OneFamilyThatAnswersIsEnough) {
  for (const AddressKind kind : {AddressKind::kIpv4, AddressKind::kIpv6}) {
    ClusterSpec spec = Spec({1, 2});
    spec.address_kind = kind;
    spec.route = [this](int, int to, const std::string& address) {
      std::string host = HostOf(address);
      const bool v4 = absl::StrContains(host, '.');
      return Named(to, address, {std::move(host), v4 ? "::1" : kDead});
    };
    TestCluster cluster(spec);
    ASSERT_TRUE(cluster.Start());
    Ping(cluster, 1, 2);
  }
}

TEST_P(NamesTest, OneOfManyAddressesThatAnswersIsEnough) {
  ClusterSpec spec = Spec({1, 2});
  spec.route = [this](int, int to, const std::string& address) {
    return Named(to, address,
                 {"127.99.0.1", "127.99.0.2", "::1", kDead, HostOf(address),
                  "127.99.0.3"});
  };
  TestCluster cluster(spec);
  ASSERT_TRUE(cluster.Start());
  Ping(cluster, 1, 2);
}

TEST_P(NamesTest, AServerThatMovesIsFoundByItsName) {
  TestCluster cluster(Spec({1, 2}));
  ASSERT_TRUE(cluster.Start());
  Ping(cluster, 1, 2);
  const std::uint16_t port = ParseAddress(cluster.address(2))->port;
  cluster.Destroy(2);
  ExpectTrouble(cluster, 1, 2, "s2.test");
  Config config = cluster.ConfigOf(2);
  config.allow_plaintext = config.security.mode == SecurityConfig::Mode::kNone;
  const std::string moved = "127.99.1.2";
  for (ServerAddress& server : config.servers)
    if (server.id == 2) server.address = absl::StrCat(moved, ":", port);
  auto next = NewServer(2, config);
  ASSERT_TRUE(next.ok()) << next.status();
  ASSERT_EQ((*next)->Start(), absl::OkStatus());
  dns_.Set(NameOf(2), {moved});
  Envelope envelope;
  envelope.pid = 2;
  ASSERT_EQ(cluster.server(1).Send(envelope), absl::OkStatus());
  EXPECT_TRUE((*next)->Receive(kPatience).ok());
}

TEST_P(NamesTest, ANameThatIsDeniedIsToldAndAskedForAgain) {
  ClusterSpec spec = Spec({1, 2});
  spec.route = [this](int from, int to, const std::string& address) {
    if (from == 2) return address;
    const std::string named = Named(to, address, {HostOf(address)});
    dns_.Remove(NameOf(to));
    return named;
  };
  TestCluster cluster(spec);
  ASSERT_TRUE(cluster.Start());
  ExpectTrouble(cluster, 1, 2,
                "host \"s2.test\" does not resolve: there is no such name");
  dns_.Set(NameOf(2), {HostOf(cluster.address(2))});
  Ping(cluster, 1, 2);
}

INSTANTIATE_TEST_SUITE_P(Backends, NamesTest,
                         testing::ValuesIn(With(SocketTransports(),
                                                SecuredTransports())),
                         TransportName);

// Resets all connections in their handshakes, at the port of a server.
class Resetter {
 public:
  explicit Resetter(const std::string& address)
      : listener_(RawTcp::Listen(address)), thread_([this] { Run(); }) {}
  ~Resetter() {
    stopping_ = true;
    RawTcp::Connect(listener_.Address());
    thread_.join();
  }

 private:
  void Run() {
    while (!stopping_) {
      RawTcp dialled = listener_.Accept();
      dialled.Skip(1);  // so the reset is in the handshake
      dialled.Reset();
    }
  }

  RawTcp listener_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

// Two keys and two addresses, of which one each is right, in either order.
TEST(SecuredNamesTest, EachAddressIsTriedWithEachKey) {
  for (bool right_first : {true, false}) {
    DnsServer dns;
    ClusterSpec spec;
    spec.secured = true;
    spec.config.transport = "zmq";
    spec.config.cluster = right_first ? "first" : "second";
    spec.ids = {1, 2};
    spec.on_envelope = [](int, const EnvelopeView&) {};
    std::unique_ptr<Resetter> other;
    spec.route = [&](int, int to, const std::string& address) {
      if (to == 1) return address;
      const Address right = *ParseAddress(address);
      constexpr char kOther[] = "127.99.4.4";
      other = std::make_unique<Resetter>(absl::StrCat(kOther, ":", right.port));
      dns.Set("s2.test", {kOther, right.host});
      return absl::StrCat("s2.test:", right.port);
    };
    TestCluster cluster(spec);
    KeyRequest wrong;
    wrong.cluster = spec.config.cluster;
    wrong.server_ids = {2};
    wrong.folder = absl::StrCat(cluster.keys().folder, "/wrong");
    ASSERT_TRUE(MakeKeys(wrong).ok());
    const auto read = [](const std::string& folder) {
      std::ifstream file(absl::StrCat(folder, "/public/2/zmq.public"));
      return std::string(std::istreambuf_iterator<char>(file), {});
    };
    const std::string keys[] = {read(cluster.keys().folder),
                                read(wrong.folder)};
    std::ofstream(absl::StrCat(cluster.keys().folder, "/public/2/zmq.public"))
        << keys[right_first ? 0 : 1] << keys[right_first ? 1 : 0];
    ASSERT_TRUE(cluster.Start());
    Envelope envelope;
    envelope.pid = 2;
    ASSERT_EQ(cluster.server(1).Send(envelope), absl::OkStatus());
    EXPECT_EQ(cluster.server(1).Flush(2, kPatience), absl::OkStatus());
  }
}

class ListeningNameTest : public testing::TestWithParam<const char*> {
 protected:
  absl::Status StartAt(const std::string& server) {
    const absl::StatusOr<Config> config = ParseConfig(
        absl::StrCat("{\"transport\": \"", GetParam(),
                     "\", \"allow_plaintext\": true,\n\"servers\": [\n", server,
                     "]}"),
        "a.json");
    EXPECT_TRUE(config.ok()) << config.status();
    if (!config.ok()) return config.status();
    auto made = NewServer(1, *config);
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? (*made)->Start() : made.status();
  }

  DnsServer dns_;
};

TEST_P(ListeningNameTest, IsLookedUp) {
  dns_.Set("here.test", {"127.0.0.1"});
  EXPECT_EQ(StartAt("{\"id\": 1, \"address\": \"here.test:0\"}"),
            absl::OkStatus());
}

TEST_P(ListeningNameTest, ThatDoesNotResolveIsToldWithItsPlace) {
  for (const auto& [server, path] :
       {std::pair("{\"id\": 1,\n\"address\": \"no.test:1\"}", "address"),
        {"{\"id\": 1, \"address\": \"127.0.0.1:1\",\n"
         "\"listen\": \"no.test:1\"}",
         "listen"}}) {
    const absl::Status status = StartAt(server);
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(
        std::string(status.message()),
        AllOf(StartsWith(absl::StrCat("server 1: a.json:4: $.servers[0].", path,
                                      ": ")),
              HasSubstr("no.test:1: host \"no.test\" does not resolve: there "
                        "is no such name (asked 127.0.0.1)")));
  }
}

TEST_P(ListeningNameTest, WithoutAnAnswerDoesNotWaitForEver) {
  dns_.SetDark(true);
  const absl::Status status =
      StartAt("{\"id\": 1, \"address\": \"lost.test:0\"}");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("no name server answered in time"));
}

TEST_P(ListeningNameTest, AndEveryOtherAddressIsToldWithItsPlace) {
  const absl::Status status =
      StartAt("{\"id\": 1, \"address\": \"192.0.2.1:0\"}");
  EXPECT_THAT(std::string(status.message()),
              AllOf(StartsWith("server 1: a.json:3: $.servers[0].address: "),
                    HasSubstr("192.0.2.1:0")));
}

INSTANTIATE_TEST_SUITE_P(Backends, ListeningNameTest,
                         testing::ValuesIn(SocketTransports()), TransportName);

}  // namespace
}  // namespace cluster::internal
