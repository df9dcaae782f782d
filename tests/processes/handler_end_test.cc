// Handlers that do not return: they end the process, destroy their server, or
// throw. Each runs on the transport's thread and on the server's own.

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/processes/own_process.h"

// A server that is destroyed in its own callback leaves its threads running.
extern "C" const char* __tsan_default_options() {
  return "report_thread_leaks=0";
}

// The leak checker misses what OpenSSL keeps for the thread that calls exit.
extern "C" const char* __lsan_default_suppressions() {
  return "leak:CRYPTO_zalloc";
}

namespace cluster::internal {
namespace {

using ::testing::ExitedWithCode;
using ::testing::KilledBySignal;

// The event whose handler does not return.
enum class Cause {
  kEnvelope,     // OnEnvelope, on the transport's thread
  kOwnEnvelope,  // OnEnvelope, on the callbacks' thread
  kUp,           // OnPeerEvent alone
  kUpInOrder,    // OnPeerEvent, with an OnEnvelope handler set
  kRemoved,      // OnPeerEvent, on the callbacks' thread
};

const char* CauseName(Cause cause) {
  switch (cause) {
    case Cause::kEnvelope:
      return "envelope";
    case Cause::kOwnEnvelope:
      return "own_envelope";
    case Cause::kUp:
      return "up";
    case Cause::kUpInOrder:
      return "up_in_order";
    case Cause::kRemoved:
      return "removed";
  }
  return "";
}

// Static, so that exit destroys them.
std::unique_ptr<Server> one;
std::unique_ptr<Server> two;
std::atomic<bool> may_act{false};
std::atomic<bool> acted{false};
std::atomic<int> late{0};                // calls of handlers after that
std::atomic<bool> goodbye_heard{false};  // by server 2

// Sets a handler of server 1 that calls `act`, once the main thread is ready.
void Arm(Cause cause, const std::function<void()>& act) {
  const auto handle = [act] {
    if (acted) ++late;
    while (!may_act) std::this_thread::yield();
    act();
    acted = true;
  };
  if (cause == Cause::kEnvelope || cause == Cause::kOwnEnvelope) {
    one->OnEnvelope([handle](const EnvelopeView&) { handle(); });
    return;
  }
  if (cause == Cause::kUpInOrder) one->OnEnvelope([](const EnvelopeView&) {});
  const PeerEvent::Type type =
      cause == Cause::kRemoved ? PeerEvent::kRemoved : PeerEvent::kUp;
  one->OnPeerEvent([handle, type](const PeerEvent& event) {
    if (event.type == type || acted) handle();
  });
}

// Starts both servers and causes the event. After that this thread does not use
// server 1, which may be destroyed.
void Bring(Cause cause, const Config& config,
           const std::function<void()>& act) {
  one = MakeServer(1, config);
  two = MakeServer(2, config);
  Arm(cause, act);
  two->OnPeerEvent([](const PeerEvent& event) {
    if (event.type == PeerEvent::kDown &&
        absl::StrContains(event.reason, "stopped")) {
      goodbye_heard = true;
    }
  });
  RequireOk(one->Start(), "Start");
  RequireOk(two->Start(), "Start");
  Introduce(one.get(), two.get());
  SendText(one.get(), 2, "up");
  AwaitText(two.get(), "up");
  for (int i = 0; i < 3; ++i) {
    if (cause == Cause::kEnvelope) SendText(two.get(), 1, "act");
    if (cause == Cause::kOwnEnvelope) SendText(one.get(), 1, "act");
  }
  if (cause == Cause::kRemoved) RequireOk(one->RemovePeer(2), "RemovePeer");
  // A second event, which waits behind the first.
  RequireOk(one->RemovePeer(3), "RemovePeer");
  may_act = true;
}

void BringTheEnd(Cause cause, const Config& config,
                 const std::function<void()>& act) {
  Bring(cause, config, act);
  while (true) pause();
}

void Destroy(Cause cause, const Config& config) {
  Bring(cause, config, [] { one.reset(); });
  while (!acted) std::this_thread::yield();
  // After a removal, server 1 has no peer left.
  while (cause != Cause::kRemoved && !goodbye_heard) std::this_thread::yield();
  two.reset();
  Require(late == 0, "no handler runs after its server is destroyed");
}

std::string HandlerName(Cause cause) {
  return cause == Cause::kEnvelope || cause == Cause::kOwnEnvelope
             ? "OnEnvelope"
             : "OnPeerEvent";
}

constexpr char kDestroyed[] =
    "cluster: server 1 was destroyed in one of its own callbacks";

std::vector<Backend> Backends() {
  std::vector<Backend> backends = RealBackends();
  backends.push_back({"memory", "memory"});
  return backends;
}

class HandlerEndTest
    : public testing::TestWithParam<std::tuple<Backend, Cause>> {
 protected:
  void SetUp() override {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
  }
  static Cause cause() { return std::get<1>(GetParam()); }

  const Config config_ = ConfigOf(std::get<0>(GetParam()));
};

TEST_P(HandlerEndTest, Exit) {
  EXPECT_EXIT(BringTheEnd(cause(), config_, [] { std::exit(7); }),
              ExitedWithCode(7), kDestroyed);
}

TEST_P(HandlerEndTest, QuickExit) {
  EXPECT_EXIT(BringTheEnd(cause(), config_, [] { std::quick_exit(7); }),
              ExitedWithCode(7), "^$");
  EXPECT_EXIT(BringTheEnd(cause(), config_, [] { _exit(7); }),
              ExitedWithCode(7), "^$");
}

TEST_P(HandlerEndTest, DestroysItsServer) {
  EXPECT_EXIT(
      {
        Destroy(cause(), config_);
        std::exit(0);
      },
      ExitedWithCode(0), kDestroyed);
}

TEST_P(HandlerEndTest, Throws) {
  EXPECT_EXIT(BringTheEnd(cause(), config_,
                          [] { throw std::runtime_error("no such luck"); }),
              KilledBySignal(SIGABRT),
              absl::StrCat("^cluster: the ", HandlerName(cause()),
                           " handler of server 1 threw: no such luck\n$"));
  EXPECT_EXIT(BringTheEnd(cause(), config_, [] { throw 7; }),
              KilledBySignal(SIGABRT),
              absl::StrCat("^cluster: the ", HandlerName(cause()),
                           " handler of server 1 threw: something that is no "
                           "std::exception\n$"));
}

INSTANTIATE_TEST_SUITE_P(
    Backends, HandlerEndTest,
    testing::Combine(testing::ValuesIn(Backends()),
                     testing::Values(Cause::kEnvelope, Cause::kOwnEnvelope,
                                     Cause::kUp, Cause::kUpInOrder,
                                     Cause::kRemoved)),
    [](const testing::TestParamInfo<std::tuple<Backend, Cause>>& info) {
      return absl::StrCat(std::get<0>(info.param).name, "_",
                          CauseName(std::get<1>(info.param)));
    });

}  // namespace
}  // namespace cluster::internal
