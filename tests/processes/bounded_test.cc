// A peer takes nothing, because SIGSTOP holds it or its application never
// reads. The test bounds the memory of the senders and of the peer. It prints
// that, and the throughput among the others with and without such a peer.

#include <chrono>
#include <csignal>
#include <cstdint>
#include <iostream>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/transports.h"
#include "tests/processes/process_cluster.h"

namespace cluster::internal {
namespace {

using ::testing::IsEmpty;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kHeld(PROCESS_HELD_SECONDS);
constexpr int kIdle = 4;  // takes nothing
const std::vector<int> kBusy = {1, 2, 3};

constexpr std::size_t kQueueBytes = 4u << 20;
constexpr std::size_t kWindowBytes = 1u << 20;
constexpr std::size_t kInflightBytes = 256u << 10;
constexpr std::size_t kPayloadBytes = 100;
// A full queue still takes an eighth more in each of the two upper lanes.
constexpr std::size_t kQueueBound = kQueueBytes + kQueueBytes / 4;
// Outgoing: queued and unconsumed envelopes. Incoming: unconsumed ones, and
// frames that the transport holds.
constexpr std::size_t kPeerBound =
    kQueueBound + kWindowBytes + kWindowBytes + kInflightBytes;
// The allocator's arenas, the transport's threads and buffers.
constexpr std::size_t kConstantBytes = 24u << 20;

// Envelopes per server, in a turn.
constexpr std::uint64_t kWarmUp = 5000;
constexpr std::uint64_t kTurn = PROCESS_TURN_ENVELOPES;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // so its memory is not the library's
#else
constexpr bool kSanitized = false;
#endif

enum class Hindrance { kStopped, kNeverReads };
using Case = std::tuple<const char*, Hindrance>;

class BoundedTest : public testing::TestWithParam<Case> {
 protected:
  static ProcessSpec Spec(std::vector<int> ids) {
    ProcessSpec spec;
    spec.transport = std::get<0>(GetParam());
    spec.ids = std::move(ids);
    spec.options = absl::StrCat("\"queue_bytes_max\": ", kQueueBytes,
                                ", \"window_bytes\": ", kWindowBytes,
                                ", \"inflight_bytes\": ", kInflightBytes);
    spec.mode = [](int id) {
      return id == kIdle && std::get<1>(GetParam()) == Hindrance::kNeverReads
                 ? ServerProcess::Mode::kReceive
                 : ServerProcess::Mode::kHandler;
    };
    return spec;
  }
};

void AwaitAll(ProcessCluster* cluster, std::uint64_t arrivals) {
  for (int id : kBusy) (*cluster)[id].MarkArrivals(arrivals);
  for (int id : kBusy) (*cluster)[id].Await("mark");
}

// All busy servers flood all others until each has taken its share. Returns how
// long that took.
double TakeTurn(ProcessCluster* cluster) {
  for (int id : kBusy) {
    std::string flood = absl::StrCat("flood ", kPayloadBytes);
    for (int other : cluster->Others(id)) absl::StrAppend(&flood, " ", other);
    (*cluster)[id].Say(flood);
  }
  AwaitAll(cluster, kWarmUp);
  const Clock::time_point start = Clock::now();
  AwaitAll(cluster, kTurn);
  const std::chrono::duration<double> took = Clock::now() - start;
  for (int id : kBusy) (*cluster)[id].Ask("halt", "halted");
  return took.count();
}

bool AllWaitInVain(ProcessCluster* cluster) {
  for (int id : kBusy) {
    std::uint64_t no_room = 0;
    for (const SentStream& stream : (*cluster)[id].journal().sent[kIdle])
      no_room += stream.no_room;
    if (no_room == 0) return false;
  }
  return true;
}

// Checks that a busy server's figures of the peer that takes nothing are within
// bounds.
void ExpectInBounds(ServerProcess* server) {
  server->Ask("report", "reported");
  const PeerFigures& idle = server->journal().peers[kIdle];
  EXPECT_LE(idle.queued_bytes, kQueueBound) << "server " << server->id();
  EXPECT_LE(idle.unconsumed_bytes, kWindowBytes) << "server " << server->id();
  EXPECT_EQ(idle.sessions, 1u) << "server " << server->id();
}

void ExpectGrowth(ServerProcess* server, std::size_t before,
                  std::size_t bound) {
  const std::size_t peak = server->Memory().peak_bytes;
  std::cout << absl::StrFormat(
      "server %d: from %.1f to at most %.1f MiB, bound %.1f\n", server->id(),
      static_cast<double>(before) / (1 << 20),
      static_cast<double>(peak) / (1 << 20),
      static_cast<double>(before + bound) / (1 << 20));
  if (!kSanitized) {
    EXPECT_LE(peak, before + bound) << "server " << server->id();
  }
}

// Waits for the journals: an envelope counts as acknowledged when Receive
// returns it, and the process writes it down a little later.
void AwaitTheRest(ProcessCluster* cluster) {
  std::uint64_t accepted = 0;
  for (int id : kBusy) {
    for (const SentStream& stream : (*cluster)[id].journal().sent[kIdle])
      accepted += stream.accepted;
  }
  ServerProcess& idle = (*cluster)[kIdle];
  idle.AwaitArrivals(accepted - idle.journal().arrived);
}

TEST_P(BoundedTest, APeerThatTakesNothingCostsBoundedMemoryAndNobodysTime) {
  ProcessCluster with(Spec({1, 2, 3, kIdle}));
  ProcessCluster without(Spec(kBusy));
  ASSERT_TRUE(with.Start());
  ASSERT_TRUE(without.Start());
  std::map<int, std::size_t> before;
  for (int id : with.ids()) before[id] = with[id].Memory().resident_bytes;

  const bool stopped = std::get<1>(GetParam()) == Hindrance::kStopped;
  if (stopped) with[kIdle].Signal(SIGSTOP);
  double with_seconds = 0;
  double without_seconds = 0;
  int turns = 0;
  const Clock::time_point end = Clock::now() + kHeld;
  do {
    with_seconds += TakeTurn(&with);
    without_seconds += TakeTurn(&without);
    ++turns;
    for (int id : kBusy) ExpectInBounds(&with[id]);
  } while (!HasFailure() && (Clock::now() < end || !AllWaitInVain(&with)));

  const double taken = static_cast<double>(turns) * kTurn * kBusy.size() / 1e6;
  std::cout << absl::StrFormat(
      "%d turns: %.3f M/s with the peer that takes nothing, %.3f M/s without: "
      "%.2f\n",
      turns, taken / with_seconds, taken / without_seconds,
      without_seconds / with_seconds);
  for (int id : kBusy) {
    EXPECT_GT(with[id].journal().peers[kIdle].queued_bytes, kQueueBytes / 2)
        << "it is not full";
    ExpectGrowth(&with[id], before[id], 3 * kPeerBound + kConstantBytes);
  }
  ExpectGrowth(&with[kIdle], before[kIdle],
               3 * (kWindowBytes + kInflightBytes) + kConstantBytes);
  if (stopped) {
    with[kIdle].Signal(SIGCONT);
  } else {
    with[kIdle].Ask("report", "reported");
    EXPECT_LE(with[kIdle].journal().inbox_bytes, 3 * kWindowBytes);
    with[kIdle].Say("read");
  }
  with.HaltAndFlush(kBusy);
  AwaitTheRest(&with);
  for (int id : kBusy) {
    for (int other : with.Others(id))
      EXPECT_THAT(with.DeliveryProblems(id, other), IsEmpty());
  }
}

std::string CaseName(const testing::TestParamInfo<Case>& info) {
  return absl::StrCat(std::get<0>(info.param),
                      std::get<1>(info.param) == Hindrance::kStopped
                          ? "_Stopped"
                          : "_NeverReads");
}

INSTANTIATE_TEST_SUITE_P(
    Backends, BoundedTest,
    testing::Combine(testing::ValuesIn(SocketTransports()),
                     testing::Values(Hindrance::kStopped,
                                     Hindrance::kNeverReads)),
    CaseName);

}  // namespace
}  // namespace cluster::internal
