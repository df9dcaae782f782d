#include "cluster/transport/resolver/resolver.h"

#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cluster/base/mutex.h"
#include "cluster/transport/resolver/testing/dns_server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Found = absl::StatusOr<Resolver::Hosts>;

constexpr char kOnly[] = "; only the hosts file and DNS are read";

class ResolverTest : public testing::Test {
 protected:
  Resolver::Hosts Hosts(const std::string& host) {
    Found found = resolver_.Find(host);
    EXPECT_TRUE(found.ok()) << found.status();
    return found.ok() ? *found : Resolver::Hosts();
  }

  // The result comes later.
  std::future<Found> Begin(const std::string& host,
                           Resolver::Ticket* ticket = nullptr) {
    auto promise = std::make_shared<std::promise<Found>>();
    const auto begun =
        resolver_.Begin(host, [promise](Resolver::Ticket, Found found) {
          promise->set_value(std::move(found));
        });
    EXPECT_TRUE(begun.ok()) << begun.status();
    if (ticket != nullptr) *ticket = *begun;
    return promise->get_future();
  }

  void ExpectTrouble(const std::string& host, absl::StatusCode code,
                     const std::string& why) {
    const absl::Status status = resolver_.Find(host).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()),
                AllOf(StartsWith("host \"" + host + "\" does not resolve: "),
                      HasSubstr(why), EndsWith(kOnly)));
  }

  DnsServer dns_;
  Resolver& resolver_ = Resolver::OfProcess();
};

TEST_F(ResolverTest, FindsAllAddressesAndTheFamiliesTakeTurns) {
  dns_.Set("many.test", {"127.0.0.1", "127.0.0.2", "127.0.0.3", "::1"});
  const Resolver::Hosts hosts = Hosts("many.test");
  ASSERT_EQ(hosts.size(), 4u);
  EXPECT_EQ(hosts[0], "::1");
  EXPECT_THAT(hosts, testing::UnorderedElementsAre("::1", "127.0.0.1",
                                                   "127.0.0.2", "127.0.0.3"));
}

TEST_F(ResolverTest, OneFamilyIsEnough) {
  dns_.Set("four.test", {"127.0.0.9"});
  dns_.Set("six.test", {"::1"});
  EXPECT_THAT(Hosts("four.test"), ElementsAre("127.0.0.9"));
  EXPECT_THAT(Hosts("six.test"), ElementsAre("::1"));
}

TEST_F(ResolverTest, AFamilyWithoutAnAnswerDoesNotHideTheOther) {
  dns_.Set("four.test", {"127.0.0.9"});
  dns_.Set("four.test", DnsServer::kSilenceForV6);
  EXPECT_THAT(Hosts("four.test"), ElementsAre("127.0.0.9"));
}

TEST_F(ResolverTest, AliasesAreFollowed) {
  dns_.SetAlias("a.test", "b.test");
  dns_.SetAlias("b.test", "c.test");
  dns_.Set("c.test", {"127.0.0.3"});
  EXPECT_THAT(Hosts("a.test"), ElementsAre("127.0.0.3"));
}

TEST_F(ResolverTest, AnAnswerThatIsCutIsAskedForByTcp) {
  dns_.Set("long.test", {"127.0.0.1"});
  dns_.Set("long.test", DnsServer::kTruncated);
  EXPECT_THAT(Hosts("long.test"), ElementsAre("127.0.0.1"));
}

TEST_F(ResolverTest, TroubleIsToldInWords) {
  ExpectTrouble("nobody.test", absl::StatusCode::kNotFound,
                "there is no such name (asked 127.0.0.1)");
  dns_.Set("empty.test", std::vector<std::string>());
  ExpectTrouble("empty.test", absl::StatusCode::kNotFound,
                "the name has no IPv4 and no IPv6 address");
  dns_.Set("zero.test", {"0.0.0.0", "::"});
  ExpectTrouble("zero.test", absl::StatusCode::kNotFound,
                "the name has no IPv4 and no IPv6 address");
  dns_.SetAlias("ring.test", "gnir.test");
  dns_.SetAlias("gnir.test", "ring.test");
  ExpectTrouble("ring.test", absl::StatusCode::kNotFound, "no IPv4");
  dns_.Set("broken.test", DnsServer::kServFail);
  ExpectTrouble("broken.test", absl::StatusCode::kUnavailable, "failed");
  dns_.Set("closed.test", DnsServer::kRefused);
  ExpectTrouble("closed.test", absl::StatusCode::kUnavailable,
                "refused to answer");
  dns_.Set("garbled.test", {"127.0.0.1"});
  dns_.Set("garbled.test", DnsServer::kMalformed);
  ExpectTrouble("garbled.test", absl::StatusCode::kUnavailable, "malformed");
  const std::string label(64, 'x');
  ExpectTrouble(label + ".test", absl::StatusCode::kNotFound,
                "not the form of a name");
}

TEST_F(ResolverTest, SilenceEndsAndHoldsUpNobody) {
  dns_.Set("lost.test", DnsServer::kSilence);
  dns_.Set("there.test", {"127.0.0.1"});
  std::vector<std::future<Found>> lost;
  for (int i = 0; i < 50; ++i) lost.push_back(Begin("lost.test"));
  EXPECT_TRUE(dns_.AwaitQuestions("lost.test", 1));
  EXPECT_THAT(Hosts("there.test"), ElementsAre("127.0.0.1"));
  for (auto& future : lost) {
    EXPECT_EQ(future.wait_for(std::chrono::seconds(0)),
              std::future_status::timeout);
  }
  for (auto& future : lost) {
    const absl::Status status = future.get().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(status.message(),
              "host \"lost.test\" does not resolve: no name server answered in "
              "time (asked 127.0.0.1); only the hosts file and DNS are read");
  }
}

TEST_F(ResolverTest, WithoutANameServerItSaysSo) {
  std::uint16_t nobody = 0;
  { nobody = DnsServer().port(); }
  resolver_.SetSource({dns_.resolv_conf(), nobody});
  ExpectTrouble("db.test", absl::StatusCode::kUnavailable, "cannot be reached");
}

TEST_F(ResolverTest, ALateAnswerIsTaken) {
  dns_.Set("late.test", {"127.0.0.1"});
  dns_.Set("late.test", DnsServer::kHeld);
  std::future<Found> found = Begin("late.test");
  EXPECT_TRUE(dns_.AwaitQuestions("late.test", 2));
  dns_.Set("late.test", DnsServer::kNone);
  EXPECT_THAT(*found.get(), ElementsAre("127.0.0.1"));
}

TEST_F(ResolverTest, EachLookUpAsksAnew) {
  dns_.Set("moving.test", {"127.0.0.1"});
  EXPECT_THAT(Hosts("moving.test"), ElementsAre("127.0.0.1"));
  dns_.Set("moving.test", {"127.0.0.2"});
  EXPECT_THAT(Hosts("moving.test"), ElementsAre("127.0.0.2"));
  dns_.Remove("moving.test");
  ExpectTrouble("moving.test", absl::StatusCode::kNotFound, "no such name");
}

TEST_F(ResolverTest, AChangedResolvConfIsRead) {
  dns_.Set("db.first.test", {"127.0.0.1"});
  dns_.Set("db.second.test", {"127.0.0.2"});
  const auto search = [&](const char* domain) {
    std::ofstream(dns_.resolv_conf())
        << "nameserver 127.0.0.1\nsearch " << domain << "\n";
  };
  search("first.test");
  EXPECT_THAT(Hosts("db"), ElementsAre("127.0.0.1"));
  search("second.test");
  EXPECT_THAT(Hosts("db"), ElementsAre("127.0.0.2"));
}

TEST_F(ResolverTest, ACancelledLookUpCallsNobody) {
  dns_.Set("lost.test", {"127.0.0.1"});
  dns_.Set("lost.test", DnsServer::kHeld);
  Resolver::Ticket ticket = 0;
  std::future<Found> found = Begin("lost.test", &ticket);
  EXPECT_TRUE(dns_.AwaitQuestions("lost.test", 2));
  resolver_.Cancel(ticket);
  resolver_.Cancel(ticket);
  // Its promise is gone.
  EXPECT_THROW((void)found.get(), std::future_error);
  dns_.Set("lost.test", DnsServer::kNone);
  EXPECT_THAT(Hosts("lost.test"), ElementsAre("127.0.0.1"));
}

TEST_F(ResolverTest, MayBeAskedInItsCall) {
  dns_.Set("db.test", {"127.0.0.1"});
  std::promise<Found> inner;
  const auto begun =
      resolver_.Begin("nobody.test", [&](Resolver::Ticket ticket, Found) {
        resolver_.Cancel(ticket);
        EXPECT_TRUE(resolver_
                        .Begin("db.test",
                               [&](Resolver::Ticket, Found found) {
                                 inner.set_value(std::move(found));
                               })
                        .ok());
      });
  ASSERT_TRUE(begun.ok());
  EXPECT_THAT(*inner.get_future().get(), ElementsAre("127.0.0.1"));
}

// Of a name that it does not ask DNS for.
TEST_F(ResolverTest, TheHostsFileIsReadFirst) {
  std::ifstream file("/etc/hosts");
  std::string number;
  std::string name;
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    if (words >> number >> name && number.rfind("127.", 0) == 0 &&
        name != "localhost") {
      break;
    }
    name.clear();
  }
  if (name.empty()) {
    std::cout << "no name but localhost in /etc/hosts: nothing was tested\n";
    return;
  }
  dns_.SetDark(true);
  EXPECT_THAT(Hosts(name), testing::Contains(number));
  EXPECT_EQ(dns_.questions(name), 0);
}

// The thread sanitizer ends a child that starts threads if its parent had some.
#if !defined(__SANITIZE_THREAD__)
TEST_F(ResolverTest, AChildOfForkHasItsOwn) {
  dns_.Set("db.test", {"127.0.0.1"});
  dns_.Set("lost.test", DnsServer::kSilence);
  EXPECT_THAT(Hosts("db.test"), ElementsAre("127.0.0.1"));
  const auto lost = Begin("lost.test");
  // Now the resolver waits. The address sanitizer's allocator would hang in the
  // child of a fork beside a thread that allocates.
  ASSERT_TRUE(dns_.AwaitQuestions("lost.test", 2));
  const Resolver::Source source{dns_.resolv_conf(), dns_.port()};
  const pid_t child = fork();
  if (child == 0) {
    Resolver& own = Resolver::OfProcess();
    own.SetSource(source);
    const Found found = own.Find("db.test");
    _exit(&own != &resolver_ && found.ok() && found->size() == 1 ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}
#endif

}  // namespace
}  // namespace cluster::internal
