// A signal interrupts system calls a thousand times a second, on every thread
// of the process.

#include <dirent.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>
#include <utility>

#include "gtest/gtest.h"
#include "tests/harness/seed.h"
#include "tests/harness/transports.h"
#include "tests/scenarios/scenario.h"

namespace cluster::internal {
namespace {

constexpr long kPeriodNanoseconds = 1000000;

std::atomic<std::uint64_t> handled{0};

// A thread that sends SIGALRM to each thread of the process, itself included,
// at every tick of a timer of 1 kHz. The kernel would give a process's timer
// signal to the main thread alone.
class Interruptions {
 public:
  Interruptions() {
    struct sigaction action {};
    action.sa_handler = [](int) { ++handled; };
    action.sa_flags = 0;  // no SA_RESTART: calls return EINTR
    EXPECT_EQ(sigaction(SIGALRM, &action, nullptr), 0);
    timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    const itimerspec period = {{0, kPeriodNanoseconds},
                               {0, kPeriodNanoseconds}};
    EXPECT_EQ(timerfd_settime(timer_, 0, &period, nullptr), 0);
    EXPECT_NE(threads_, nullptr);
    thread_ = std::thread([this] { Run(); });
  }
  ~Interruptions() {
    stopping_ = true;
    thread_.join();
    close(timer_);
    closedir(threads_);
    // A thread may still have a signal pending, whose default would end the
    // process.
    signal(SIGALRM, SIG_IGN);
  }

 private:
  void Run() {
    std::uint64_t ticks = 0;
    while (!stopping_) {
      if (read(timer_, &ticks, sizeof(ticks)) < 0) continue;  // interrupted
      InterruptAll();
    }
  }

  void InterruptAll() {
    rewinddir(threads_);
    while (const dirent* thread = readdir(threads_)) {
      const long id = std::strtol(thread->d_name, nullptr, 10);
      // The thread may be gone by now.
      if (id > 0) syscall(SYS_tgkill, getpid(), id, SIGALRM);
    }
  }

  int timer_ = -1;
  // Stays open. Opened at each tick, it would reuse descriptors that other
  // threads have just closed, and tsan would see a race.
  DIR* const threads_ = opendir("/proc/self/task");
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

class InterruptedTest : public testing::TestWithParam<const char*> {};

TEST_P(InterruptedTest, EverythingArrives) {
  Interruptions interruptions;
  const std::uint64_t handled_before = handled;
  for (AddressKind kind : {AddressKind::kIpv4, AddressKind::kIpc}) {
    for (Scenario scenario : {Scenario::kMixed, Scenario::kCyclic}) {
      SCOPED_TRACE(AddressKindName(kind) + ", " + ScenarioName(scenario));
      Load load;
      load.seed = TestSeed();
      load.envelopes_max = 2000;
      std::cout << "CLUSTER_TEST_SEED=" << load.seed << "\n";
      ClusterSpec spec;
      spec.config.transport = GetParam();
      spec.ids = FirstIds(3);
      spec.address_kind = kind;
      CheckScenario(scenario, load, std::move(spec));
    }
  }
  std::cout << handled - handled_before << " signals\n";
  EXPECT_GT(handled, handled_before);
}

INSTANTIATE_TEST_SUITE_P(Backends, InterruptedTest,
                         testing::ValuesIn(SocketTransports()), TransportName);

}  // namespace
}  // namespace cluster::internal
