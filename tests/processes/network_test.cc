// Two servers in network namespaces of their own, with a cable between them
// that the test cuts in every way that the kernel has.
//
// The test runs itself again in a user namespace, where it may make networks
// without touching the machine's. They end with its processes. If the kernel or
// a sandbox forbids that, the test says so and passes. So do the cases that
// need nft or ss -K.

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/transports.h"
#include "tests/processes/process_cluster.h"

namespace cluster::internal {
namespace {

using ::testing::IsEmpty;

constexpr char kInside[] = "CLUSTER_NETWORK_TEST_INSIDE";

bool Shell(const std::string& command) {
  return std::system(command.c_str()) == 0;
}

class NetworkTest : public testing::TestWithParam<const char*> {
 protected:
  // Servers 1 and 2, at the two ends of a cable, flood each other.
  void SetUp() override {
    ProcessSpec spec;
    spec.transport = GetParam();
    spec.ids = {1, 2};
    spec.options = "\"heartbeat_ms\": 50, \"peer_timeout_ms\": 500";
    spec.addresses = {{1, "10.77.0.1:0"}, {2, "10.77.0.2:0"}};
    ASSERT_TRUE(Shell("ip link add end1 type veth peer name end2"));
    spec.before_start = [](ServerProcess* process) {
      process->Ask("unshare", "unshared");
      const std::string end = absl::StrCat("end", process->id());
      return Shell(absl::StrCat("ip link set ", end, " netns ",
                                process->pid())) &&
             Inside(process, absl::StrCat("ip addr add 10.77.0.", process->id(),
                                          "/24 dev ", end)) &&
             Inside(process, absl::StrCat("ip link set ", end, " up"));
    };
    cluster_ = std::make_unique<ProcessCluster>(std::move(spec));
    ASSERT_TRUE(cluster_->Start());
    server(1).Say("flood 1000 2");
    server(2).Say("flood 1000 1");
    AwaitTraffic();
  }

  ServerProcess& server(int id) { return (*cluster_)[id]; }

  // Runs a command in the network of the server.
  static bool Inside(ServerProcess* process, const std::string& command) {
    return Shell(absl::StrCat("nsenter -t ", process->pid(), " -n ", command));
  }
  bool At(int id, const std::string& command) {
    return Inside(&server(id), command);
  }

  void AwaitTraffic() {
    for (int id : {1, 2}) server(id).AwaitArrivals(1000);
  }
  void ExpectDownAtBoth() {
    server(1).AwaitEvent(PeerEvent::kDown, 2);
    server(2).AwaitEvent(PeerEvent::kDown, 1);
  }
  void ExpectUpAtBoth() {
    server(1).AwaitEvent(PeerEvent::kUp, 2);
    server(2).AwaitEvent(PeerEvent::kUp, 1);
  }
  void ExpectExactlyOnceInOneSession() {
    AwaitTraffic();
    cluster_->HaltAndFlush({1, 2});
    EXPECT_THAT(cluster_->DeliveryProblems(1, 2), IsEmpty());
    EXPECT_THAT(cluster_->DeliveryProblems(2, 1), IsEmpty());
    EXPECT_EQ(server(1).journal().peers[2].sessions, 1u);
    EXPECT_EQ(server(2).journal().peers[1].sessions, 1u);
  }

 private:
  std::unique_ptr<ProcessCluster> cluster_;
};

TEST_P(NetworkTest, ASessionThatGoesDownIsSeenByBothAndComesBack) {
  for (int end : {1, 2}) {
    const std::string set = absl::StrCat("ip link set end", end);
    ASSERT_TRUE(At(end, absl::StrCat(set, " down")));
    ExpectDownAtBoth();
    ASSERT_TRUE(At(end, absl::StrCat(set, " up")));
    ExpectUpAtBoth();
  }
  ExpectExactlyOnceInOneSession();
}

TEST_P(NetworkTest, AnAddressThatGoesAwayIsSeenByBothAndComesBack) {
  ASSERT_TRUE(At(1, "ip addr del 10.77.0.1/24 dev end1"));
  ExpectDownAtBoth();
  ASSERT_TRUE(At(1, "ip addr add 10.77.0.1/24 dev end1"));
  ExpectUpAtBoth();
  ExpectExactlyOnceInOneSession();
}

TEST_P(NetworkTest, ADestinationThatIsUnreachableIsSeenByBoth) {
  ASSERT_TRUE(At(1, "ip route add unreachable 10.77.0.2/32"));
  ExpectDownAtBoth();
  ASSERT_TRUE(At(1, "ip route del unreachable 10.77.0.2/32"));
  ExpectUpAtBoth();
  ExpectExactlyOnceInOneSession();
}

// The route is silent where the one above answers.
TEST_P(NetworkTest, ABlackHoleInOneDirectionIsSeenByBoth) {
  ASSERT_TRUE(At(2, "ip route add blackhole 10.77.0.1/32"));
  ExpectDownAtBoth();
  ASSERT_TRUE(At(2, "ip route del blackhole 10.77.0.1/32"));
  ExpectUpAtBoth();
  ExpectExactlyOnceInOneSession();
}

class FirewallTest : public NetworkTest {
 protected:
  // False: the machine has no nft, or its kernel does not know the rule.
  bool Install(const std::string& rule) {
    if (!At(1, "nft add table inet wall 2>&1") ||
        !At(1,
            "nft add chain inet wall in '{ type filter hook input priority 0; "
            "}' 2>&1") ||
        !At(1, absl::StrCat("nft add rule inet wall in ", rule, " 2>&1"))) {
      std::cout << "no nft here that takes the rule: nothing was tested\n";
      return false;
    }
    return true;
  }
  void Remove() { ASSERT_TRUE(At(1, "nft delete table inet wall")); }
};

TEST_P(FirewallTest, ThatDropsWhatComesInIsSeenByBoth) {
  if (!Install("drop")) return;
  ExpectDownAtBoth();
  Remove();
  ExpectUpAtBoth();
  ExpectExactlyOnceInOneSession();
}

TEST_P(FirewallTest, ThatResetsConnectionsIsSeenByBoth) {
  if (!Install("meta l4proto tcp reject with tcp reset")) return;
  ExpectDownAtBoth();
  Remove();
  ExpectUpAtBoth();
  ExpectExactlyOnceInOneSession();
}

TEST_P(NetworkTest, SocketsThatAreKilledAreReplaced) {
  // Exits with 0 even if the kernel cannot do it; lists the killed sockets.
  const std::string kill =
      "sh -c 'test -n \"$(ss -KHtn state established dst 10.77.0.0/24 "
      "2>&1)\"'";
  if (!At(1, kill)) {
    std::cout << "ss -K kills nothing here: nothing was tested\n";
    return;
  }
  for (int round = 0; round < 10; ++round) {
    AwaitTraffic();
    (void)At(1 + round % 2, kill);  // there may be no connection just now
  }
  ExpectExactlyOnceInOneSession();
}

INSTANTIATE_TEST_SUITE_P(Backends, NetworkTest,
                         testing::ValuesIn(SocketTransports()), TransportName);
INSTANTIATE_TEST_SUITE_P(Backends, FirewallTest,
                         testing::ValuesIn(SocketTransports()), TransportName);

// Runs a command as root of a new user namespace, off the machine's network.
// This must be a program: a process with a second thread, from a sanitizer say,
// may not enter one.
const std::vector<const char*> kLeaveMachine = {"unshare", "--user",
                                                "--map-root-user", "--net"};
constexpr char kTrial[] =
    "ip link add trial1 type veth peer name trial2 && ip link del trial1 && "
    "command -v nsenter >/dev/null";

// Runs this program again inside the namespace.
int RunInside(char** argv) {
  // Bazel's PATH lacks the folders of these tools.
  setenv("PATH", "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin",
         1);
  if (!Shell(absl::StrCat(absl::StrJoin(kLeaveMachine, " "), " sh -c '", kTrial,
                          "'"))) {
    std::cout << "no user and network namespaces with veth, or no ip, nsenter "
                 "and unshare, here: nothing was tested\n";
    return 0;
  }
  setenv(kInside, "1", 1);
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  std::vector<const char*> arguments = kLeaveMachine;
  arguments.push_back(self.c_str());
  while (*++argv != nullptr) arguments.push_back(*argv);
  arguments.push_back(nullptr);
  execvp(arguments[0], const_cast<char* const*>(arguments.data()));
  return 1;
}

}  // namespace
}  // namespace cluster::internal

int main(int argc, char** argv) {
  if (std::getenv(cluster::internal::kInside) == nullptr)
    return cluster::internal::RunInside(argv);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
