// A process that forks. Before Start, the child may start the server. After it,
// the child's copy of the server does nothing.

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cluster/base/mutex.h"
#include "gtest/gtest.h"
#include "tests/harness/process_resources.h"
#include "tests/processes/own_process.h"

namespace {
const pid_t first_process = getpid();
}

// The leak checker misses the stacks of the parent's threads in a child.
extern "C" int __lsan_is_turned_off() { return getpid() != first_process; }

namespace cluster::internal {
namespace {

using ::testing::ExitedWithCode;

constexpr char kInAnotherProcess[] = "started in another process, before fork";

enum class Ending { kExit, kDestroy, kLeave };

struct Events {
  Mutex mutex;
  std::vector<PeerEvent> seen;

  void Watch(Server* server) {
    server->OnPeerEvent([this](const PeerEvent& event) {
      MutexLock lock(&mutex);
      seen.push_back(event);
    });
  }
  void RequireNothingBut(PeerEvent::Type type) {
    MutexLock lock(&mutex);
    for (const PeerEvent& event : seen) {
      Require(event.type == type,
              absl::StrCat("no event: peer ", event.peer, " ",
                           PeerEventTypeName(event.type), ": ", event.reason));
    }
  }
};

std::set<int> OpenDescriptors() {
  std::set<int> open;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
    open.insert(std::atoi(entry.path().filename().c_str()));
  return open;
}

void RequireRefused(const absl::Status& status, const char* call) {
  Require(absl::IsFailedPrecondition(status) &&
              absl::StrContains(status.message(), kInAnotherProcess),
          absl::StrCat(call, " is refused: ", status.ToString()));
}

// Makes every call, in a child of the process that started the server.
void RequireInert(Server* server) {
  Envelope envelope;
  const int other = server->Pid() == 1 ? 2 : 1;
  for (int pid : {other, server->Pid(), kBroadcast}) {
    envelope.pid = pid;
    RequireRefused(server->Send(envelope), "Send");
    RequireRefused(server->Send(envelope, kPatience), "a Send that waits");
    RequireRefused(server->SendWithId(envelope).status(), "SendWithId");
  }
  const MulticastResult result = server->Multicast({other}, envelope);
  RequireRefused(result.status, "Multicast");
  Require(result.message_id.sequence == 0, "Multicast has no id");
  RequireRefused(server->Receive().status(), "Receive");
  std::vector<Envelope> batch;
  RequireRefused(server->ReceiveBatch(&batch, 1), "ReceiveBatch");
  RequireRefused(server->Flush(kPatience), "Flush");
  RequireRefused(server->AddPeer(4, "127.0.0.1:4"), "AddPeer");
  RequireRefused(server->RemovePeer(other), "RemovePeer");
  RequireRefused(server->ReloadSecurity(), "ReloadSecurity");
  RequireRefused(server->Start(), "Start");
  RequireRefused(SendMessage(*server), "SendMessage");
  RequireRefused(ReceiveMessage(*server), "ReceiveMessage");
  // These answer what they know without a lock.
  server->Peers();
  server->Address();
  server->Stats();
  server->Stop();
}

void StartInAChild(const Config& config) {
  const ProcessResources before = CountResources();
  std::unique_ptr<Server> one = MakeServer(1, config);
  const ProcessResources after = CountResources();
  Require(after.threads == before.threads, "NewServer starts no thread");
  Require(after.descriptors == before.descriptors, "NewServer opens nothing");
  Pipe to_parent, to_child;
  const pid_t child = Fork([&] {
    RequireOk(one->Start(), "Start in the child");
    to_parent.Say(one->Address());
    RequireOk(one->AddPeer(2, to_child.Hear()), "AddPeer");
    AwaitText(one.get(), "down");
    SendText(one.get(), 2, "up");
    RequireOk(one->Flush(kPatience), "Flush");
    one.reset();
  });
  const std::unique_ptr<Server> two = MakeServer(2, config);
  RequireOk(two->Start(), "Start");
  to_child.Say(two->Address());
  RequireOk(two->AddPeer(1, to_parent.Hear()), "AddPeer");
  SendText(two.get(), 1, "down");
  const MessageId of_child = AwaitText(two.get(), "up").message_id;
  RequireEnd(child, "");
  // The parent's server is another life of server 1, with other message ids.
  RequireOk(one->Start(), "Start in the parent");
  SendText(one.get(), 1, "here");
  const MessageId of_parent = AwaitText(one.get(), "here").message_id;
  Require(of_parent.incarnation != of_child.incarnation, "lives differ");
}

// Both servers are static, so that exit destroys them.
void ForkRunningServers(const Config& config, Ending ending) {
  static Events events;
  static const std::unique_ptr<Server> servers[] = {MakeServer(1, config),
                                                    MakeServer(2, config)};
  Server* const one = servers[0].get();
  Server* const two = servers[1].get();
  events.Watch(one);
  events.Watch(two);
  RequireOk(one->Start(), "Start");
  RequireOk(two->Start(), "Start");
  Introduce(one, two);
  Exchange(one, two);
  const std::string address = one->Address();
  RequireEnd(Fork([&] {
               RequireInert(one);
               RequireInert(two);
               Require(one->Pid() == 1, "Pid");
               Require(one->Peers() == std::vector<int>({2, 3}), "Peers");
               Require(one->Address() == address, "Address");
               Require(one->Stats().delivered == 1, "Stats");
               if (ending == Ending::kExit) std::exit(0);
               if (ending == Ending::kDestroy) {
                 const_cast<std::unique_ptr<Server>&>(servers[0]).reset();
                 const_cast<std::unique_ptr<Server>&>(servers[1]).reset();
               }
             }),
             "");
  // Bytes that a child sent over their sockets would arrive before these.
  for (int i = 0; i < 10; ++i) Exchange(one, two);
  for (Server* server : {one, two}) {
    const int other = server == one ? 2 : 1;
    for (const PeerStats& peer : server->Stats().peers) {
      if (peer.peer != other) continue;
      Require(peer.up && peer.sessions == 1, "the session goes on");
    }
  }
  events.RequireNothingBut(PeerEvent::kUp);
}

// A child may find a sanitizer's allocator locked for ever, if other threads
// allocated during fork. glibc's allocator handles fork.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kForksUnderLoad = 0;
#else
constexpr int kForksUnderLoad = 20;
#endif

// Threads of the parent hold locks while it forks.
void ForkUnderLoad(const Config& config) {
  static std::atomic<std::uint64_t> handled{0};
  static std::unique_ptr<Server> servers[2];
  for (int i : {0, 1}) {
    servers[i] = MakeServer(i + 1, config);
    servers[i]->OnEnvelope([](const EnvelopeView&) { ++handled; });
    RequireOk(servers[i]->Start(), "Start");
  }
  Introduce(servers[0].get(), servers[1].get());
  std::atomic<bool> stopping{false};
  std::atomic<std::uint64_t> sent{0};
  std::vector<std::thread> senders;
  for (int i : {0, 1, 0, 1}) {
    senders.emplace_back([&, i] {
      while (!stopping) {
        SendText(servers[i].get(), 2 - i, "load");
        ++sent;
        servers[i]->Stats();
        servers[i]->Peers();
      }
    });
  }
  for (int i = 0; i < kForksUnderLoad; ++i) {
    const std::uint64_t so_far = handled;
    while (handled == so_far) std::this_thread::yield();
    RequireEnd(Fork([&] {
                 RequireInert(servers[0].get());
                 RequireInert(servers[1].get());
                 std::exit(0);
               }),
               "");
  }
  stopping = true;
  for (std::thread& sender : senders) sender.join();
  for (const auto& server : servers)
    RequireOk(server->Flush(kPatience), "Flush");
  Require(handled == sent, absl::StrCat(handled.load(), " of ", sent.load()));
}

void StartASecondServer(const Config& config) {
  std::unique_ptr<Server> one = MakeServer(1, config);
  std::unique_ptr<Server> two = MakeServer(2, config);
  RequireOk(one->Start(), "Start");
  RequireOk(two->Start(), "Start");
  Introduce(one.get(), two.get());
  Exchange(one.get(), two.get());
  Pipe to_parent;
  const pid_t child = Fork([&] {
    std::unique_ptr<Server> three = MakeServer(3, config);
    const absl::Status status = three->Start();
    if (config.transport == "nng") {
      Require(absl::IsFailedPrecondition(status) &&
                  absl::StrContains(status.message(), "nng cannot be used in"),
              absl::StrCat("nng is refused: ", status.ToString()));
      three.reset();
      return;
    }
    RequireOk(status, "Start of a second server");
    RequireOk(three->AddPeer(2, two->Address()), "AddPeer");
    to_parent.Say(three->Address());
    AwaitText(three.get(), "there");
    SendText(three.get(), 2, "and back");
    RequireOk(three->Flush(kPatience), "Flush");
    three.reset();
  });
  if (config.transport != "nng") {
    RequireOk(two->AddPeer(3, to_parent.Hear()), "AddPeer");
    SendText(two.get(), 3, "there");
    AwaitText(two.get(), "and back");
  }
  RequireEnd(child, "");
  Exchange(one.get(), two.get());
}

// A child that calls exec closes the parent's sockets.
void RequireAllClosedByExec(const Config& config) {
  std::set<int> before = OpenDescriptors();
  const std::unique_ptr<Server> one = MakeServer(1, config);
  const std::unique_ptr<Server> two = MakeServer(2, config);
  RequireOk(one->Start(), "Start");
  RequireOk(two->Start(), "Start");
  Introduce(one.get(), two.get());
  Exchange(one.get(), two.get());
  int opened = 0;
  for (int descriptor : OpenDescriptors()) {
    if (before.count(descriptor) > 0) continue;
    const int flags = fcntl(descriptor, F_GETFD);
    if (flags < 0) continue;  // the descriptor of the listing itself
    ++opened;
    Require((flags & FD_CLOEXEC) != 0,
            absl::StrCat(std::filesystem::read_symlink(
                             absl::StrCat("/proc/self/fd/", descriptor))
                             .string(),
                         " is closed by exec"));
  }
  Require(opened > 0, "servers open something");
}

// The child's servers must not meet the parent's, which have the same
// addresses.
void StartTwoServersInAChild(const Config& config) {
  const std::unique_ptr<Server> one = MakeServer(1, config);
  const std::unique_ptr<Server> two = MakeServer(2, config);
  RequireOk(one->Start(), "Start");
  RequireOk(two->Start(), "Start");
  Introduce(one.get(), two.get());
  Exchange(one.get(), two.get());
  RequireEnd(Fork([&] {
               Config same = config;
               same.servers[0].address = one->Address();
               same.servers[1].address = two->Address();
               const std::unique_ptr<Server> mine = MakeServer(1, same);
               const std::unique_ptr<Server> other = MakeServer(2, same);
               RequireOk(mine->Start(), "Start in the child");
               RequireOk(other->Start(), "Start in the child");
               Exchange(mine.get(), other.get());
             }),
             "");
  Exchange(one.get(), two.get());
}

void ReturnFromAHandlerInAChild(const Config& config) {
  std::unique_ptr<Server> one = MakeServer(1, config);
  std::atomic<pid_t> child{0};
  one->OnEnvelope([&](const EnvelopeView&) { child = fork(); });
  RequireOk(one->Start(), "Start");
  SendText(one.get(), 1, "fork");
  RequireOk(one->Flush(kPatience), "Flush");
  while (child == 0) std::this_thread::yield();
  RequireEnd(child, absl::StrCat("signal ", SIGABRT));
}

class ForkTest : public testing::TestWithParam<Backend> {
 protected:
  void SetUp() override {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
  }

  const Config config_ = ConfigOf(GetParam());
};

#define EXPECT_WELL(statement) \
  EXPECT_EXIT(                 \
      {                        \
        statement;             \
        std::exit(0);          \
      },                       \
      ExitedWithCode(0), "")

TEST_P(ForkTest, AServerThatIsNotStartedCanStartInTheChild) {
  EXPECT_WELL(StartInAChild(config_));
}

TEST_P(ForkTest, ExitInTheChild) {
  EXPECT_WELL(ForkRunningServers(config_, Ending::kExit));
}

TEST_P(ForkTest, DestroyInTheChild) {
  EXPECT_WELL(ForkRunningServers(config_, Ending::kDestroy));
}

TEST_P(ForkTest, QuickExitInTheChild) {
  EXPECT_WELL(ForkRunningServers(config_, Ending::kLeave));
}

TEST_P(ForkTest, UnderLoad) { EXPECT_WELL(ForkUnderLoad(config_)); }

// The thread sanitizer ends a child that starts threads if its parent had some.
#if defined(__SANITIZE_THREAD__)
constexpr bool kChildMayStartThreads = false;
#else
constexpr bool kChildMayStartThreads = true;
#endif

TEST_P(ForkTest, ASecondServerInTheChild) {
  if (!kChildMayStartThreads && config_.transport != "nng")
    GTEST_SKIP() << "no threads in the child";
  EXPECT_WELL(StartASecondServer(config_));
}

TEST_P(ForkTest, ExecClosesAll) {
  EXPECT_WELL(RequireAllClosedByExec(config_));
}

TEST_P(ForkTest, AHandlerThatReturnsInTheChildEndsIt) {
  EXPECT_EXIT(
      {
        ReturnFromAHandlerInAChild(config_);
        std::exit(0);
      },
      ExitedWithCode(0),
      "the OnEnvelope handler of server 1 returned in a child that it had "
      "forked: end the child");
}

class MemoryForkTest : public ForkTest {};

TEST_P(MemoryForkTest, ExitInTheChild) {
  EXPECT_WELL(ForkRunningServers(config_, Ending::kExit));
}

TEST_P(MemoryForkTest, UnderLoad) { EXPECT_WELL(ForkUnderLoad(config_)); }

TEST_P(MemoryForkTest, ServersInTheChild) {
  if (!kChildMayStartThreads) GTEST_SKIP() << "no threads in the child";
  EXPECT_WELL(StartTwoServersInAChild(config_));
}

INSTANTIATE_TEST_SUITE_P(Memory, MemoryForkTest,
                         testing::Values(Backend{"memory", "memory"}));

INSTANTIATE_TEST_SUITE_P(Backends, ForkTest, testing::ValuesIn(RealBackends()),
                         [](const testing::TestParamInfo<Backend>& info) {
                           return info.param.name;
                         });

}  // namespace
}  // namespace cluster::internal
