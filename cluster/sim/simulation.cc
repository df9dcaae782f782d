#include "cluster/sim/simulation.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/base/check.h"
#include "cluster/codec/binary/binary.h"
#include "cluster/sim/checker.h"
#include "cluster/sim/sim_cluster.h"
#include "cluster/sim/world.h"

namespace cluster {
namespace {

// Makes the options' random engine differ from the run's, which has the same
// seed.
constexpr std::uint64_t kOptionsSalt = 0x6f7074696f6e73;

// How often the simulation checks whether it is over.
constexpr absl::Duration kStep = absl::Milliseconds(100);

class Simulation {
 public:
  explicit Simulation(const SimulationOptions& options);
  SimulationResult Run();

 private:
  using Deed = void (Simulation::*)();

  void Every(absl::Duration mean, Deed deed);
  void Crash();
  void RemoveMember();
  void UpdateMember();
  void Reset();
  void Block();
  void StandStill();
  void ChangeTimes();
  SimServer& AnyServer();
  int AnyPeerOf(int id);
  void Heal();
  bool Drained() const;
  void RunWhileOk(absl::Time until);

  const SimulationOptions options_;
  SimCluster cluster_;
  World& world_ = cluster_.world();
  Checker& checker_ = cluster_.checker();
  SimTraffic traffic_;
  bool healed_ = false;
  std::uint64_t crashes_ = 0;
  std::uint64_t times_changed_ = 0;
};

Simulation::Simulation(const SimulationOptions& options)
    : options_(options),
      cluster_(options.seed, options.servers, options.session, &traffic_,
               options.keep_trace),
      traffic_(&world_, options.traffic) {
  for (const auto& server : cluster_.servers()) {
    server->SetPace(options_.pace);
    server->SetMemory(options_.memory_bytes_max);
  }
}

// Does the deed at random moments until the end, every `mean` on average.
void Simulation::Every(absl::Duration mean, Deed deed) {
  if (mean == absl::InfiniteDuration()) return;
  world_.After(world_.Between(absl::ZeroDuration(), 2 * mean),
               [this, mean, deed] {
                 if (healed_) return;
                 (this->*deed)();
                 Every(mean, deed);
               });
}

SimServer& Simulation::AnyServer() {
  return *cluster_.servers()[world_.Below(cluster_.servers().size())];
}

int Simulation::AnyPeerOf(int id) {
  const auto others = static_cast<std::uint64_t>(options_.servers - 1);
  const int other = 1 + static_cast<int>(world_.Below(others));
  return other < id ? other : other + 1;
}

void Simulation::Crash() {
  SimServer& server = AnyServer();
  if (!server.running()) return;
  ++crashes_;
  if (world_.Chance(0.25)) {
    server.Stop();
  } else {
    server.Crash();
  }
  world_.After(world_.Between(absl::ZeroDuration(), absl::Seconds(2)),
               [this, &server] {
                 if (!healed_ && !server.running()) server.Start();
               });
}

void Simulation::RemoveMember() {
  SimServer& server = AnyServer();
  const int peer = AnyPeerOf(server.id());
  const absl::Duration drain =
      world_.Chance(0.5)
          ? world_.Between(absl::Milliseconds(1), absl::Milliseconds(500))
          : absl::ZeroDuration();
  server.RemovePeer(peer, drain);
  world_.After(drain + world_.Between(kStep, absl::Seconds(1)),
               [&server, peer] { server.AddPeer(peer); });
}

void Simulation::UpdateMember() {
  SimServer& server = AnyServer();
  server.UpdatePeer(AnyPeerOf(server.id()));
}

void Simulation::Reset() {
  const int from = AnyServer().id();
  cluster_.network().Reset(from, AnyPeerOf(from));
}

void Simulation::Block() {
  const int from = AnyServer().id();
  const int to = AnyPeerOf(from);
  cluster_.network().Block(from, to);
  world_.After(world_.Between(absl::ZeroDuration(), options_.duration),
               [this, from, to] { cluster_.network().Unblock(from, to); });
}

void Simulation::StandStill() {
  SimServer& server = AnyServer();
  if (!server.running()) return;
  server.StandStill(true);
  world_.After(world_.Between(absl::ZeroDuration(), options_.duration / 2),
               [&server, life = server.life()] {
                 if (server.running() && server.life() == life)
                   server.StandStill(false);
               });
}

void Simulation::ChangeTimes() {
  const auto part = static_cast<int>(2 + world_.Below(3));  // of four
  const bool changed =
      AnyServer().SetTimes(options_.session.heartbeat * part / 4,
                           options_.session.peer_timeout * part / 4);
  times_changed_ += changed ? 1 : 0;
}

void Simulation::Heal() {
  healed_ = true;
  world_.Trace("heal", {});
  traffic_.Cease();
  for (const auto& server : cluster_.servers()) {
    server->SetPace(SimPace());
    if (server->running()) server->StandStill(false);
  }
  cluster_.Heal();
}

bool Simulation::Drained() const {
  const auto& servers = cluster_.servers();
  return std::all_of(servers.begin(), servers.end(),
                     [&servers](const auto& server) {
                       return server->Drained() &&
                              server->peers().size() == servers.size() - 1;
                     });
}

void Simulation::RunWhileOk(absl::Time until) {
  while (checker_.ok() && world_.Now() < until)
    world_.RunUntil(std::min(until, world_.Now() + kStep));
}

SimulationResult Simulation::Run() {
  cluster_.network().SetFaults(options_.faults);
  cluster_.Start();
  Every(options_.crash_every, &Simulation::Crash);
  Every(options_.remove_every, &Simulation::RemoveMember);
  Every(options_.update_every, &Simulation::UpdateMember);
  Every(options_.reset_every, &Simulation::Reset);
  Every(options_.block_every, &Simulation::Block);
  Every(options_.still_every, &Simulation::StandStill);
  Every(options_.times_every, &Simulation::ChangeTimes);
  RunWhileOk(world_.Now() + options_.duration);
  Heal();
  const absl::Time deadline = world_.Now() + options_.heal_max;
  while (checker_.ok() && world_.Now() < deadline && !Drained())
    RunWhileOk(world_.Now() + kStep);
  // Late frames may still unsettle a session once; then all is quiet.
  RunWhileOk(world_.Now() + 2 * options_.session.peer_timeout);
  if (checker_.ok()) {
    checker_.ExpectQuiet();
    RunWhileOk(world_.Now() + 2 * options_.session.peer_timeout);
  }
  if (checker_.ok()) {
    for (const auto& server : cluster_.servers()) server->Settle();
  }

  SimulationResult result;
  result.violations = checker_.violations();
  result.trace_hash = world_.trace_hash();
  result.trace_length = world_.trace_length();
  result.trace_text = world_.trace_text();
  result.virtual_time = world_.Now() - absl::UnixEpoch();
  result.envelopes_accepted = checker_.accepted();
  result.envelopes_taken = checker_.taken();
  result.envelopes_dropped = checker_.dropped();
  result.envelopes_resent = checker_.resent();
  result.envelopes_expired = checker_.dropped(DropReason::kExpired);
  result.envelopes_superseded = checker_.dropped(DropReason::kSuperseded);
  result.resends_superseded = checker_.resends_superseded();
  result.memory_refused = checker_.memory_refused();
  result.waited = checker_.waited();
  result.stalled = checker_.stalled();
  result.told_still = checker_.told_still();
  result.calls_answered = checker_.calls(absl::StatusCode::kOk);
  result.calls_late = checker_.calls(absl::StatusCode::kDeadlineExceeded);
  result.calls_never_ran = checker_.calls(absl::StatusCode::kUnavailable);
  result.calls_unknown = checker_.calls(absl::StatusCode::kUnknown);
  result.frames = cluster_.network().frames_delivered();
  result.crashes = crashes_;
  result.times_changed = times_changed_;
  return result;
}

}  // namespace

SimulationOptions RandomSimulation(std::uint64_t seed) {
  World dice(seed ^ kOptionsSalt);
  SimulationOptions options;
  options.seed = seed;
  options.servers = 2 + static_cast<int>(dice.Below(3));
  internal::SessionConfig& session = options.session;
  session.codec = &BinaryCodec();
  session.cluster = "simulation";
  session.frame_bytes = 512u << dice.Below(2);
  session.inflight_bytes = 4096u << dice.Below(3);
  session.window_bytes = 4096u << dice.Below(3);
  session.queue_bytes_max = 16384u << dice.Below(3);
  session.answer_bytes_reserved = 4096;
  session.payload_bytes_max = 20u << 10;
  session.heartbeat = absl::Milliseconds(200);
  session.peer_timeout = absl::Milliseconds(800);
  if (dice.Chance(0.3)) session.overflow = Overflow::kDropOldest;
  if (dice.Chance(0.3)) session.on_peer_restart = OnPeerRestart::kDrop;

  // Each kind of trouble is in half of the seeds, from rare to frequent.
  const auto rate = [&dice](double most) {
    if (dice.Chance(0.5)) return 0.0;
    return most / static_cast<double>(1u << dice.Below(6));
  };
  const auto period = [&dice](absl::Duration least) {
    if (dice.Chance(0.5)) return absl::InfiniteDuration();
    return least * static_cast<int>(1u << dice.Below(4));
  };
  NetworkFaults& faults = options.faults;
  faults.loss = rate(0.2);
  faults.duplicate = rate(0.2);
  faults.reorder = rate(0.2);
  faults.corrupt = rate(0.02);
  faults.reset = rate(0.02);
  faults.back_pressure = rate(0.3);
  faults.leftover = rate(0.5);
  faults.delay_max = absl::Microseconds(200) * (1 << dice.Below(9));
  options.crash_every = period(absl::Milliseconds(400));
  options.remove_every = period(absl::Milliseconds(400));
  options.reset_every = period(absl::Milliseconds(100));
  options.block_every = period(absl::Milliseconds(400));
  options.pace.pause_max = absl::Microseconds(100) * (1 << dice.Below(7));
  options.pace.stall = rate(0.05);
  options.traffic.pause_max = absl::Milliseconds(20) * (1 << dice.Below(4));
  // Some runs are longer, with less traffic, so that deafness outlasts every
  // timeout.
  if (dice.Chance(0.2)) {
    options.duration = absl::Seconds(6);
    options.traffic.pause_max *= 4;
    options.block_every = absl::Milliseconds(800);
  }
  // The least memory that the largest payload allows, or a little more, and
  // large payloads that compete for it.
  if (dice.Chance(0.4)) {
    options.memory_bytes_max =
        internal::MemoryBytesMin(session.payload_bytes_max) *
        (4 + dice.Below(5)) / 4;
    if (dice.Chance(0.5)) options.traffic.large = 0.1;
  }
  // So short that lines are drained under every kind of trouble.
  session.rtt_memory = absl::Milliseconds(20) * (1 << dice.Below(6));
  if (dice.Chance(0.5)) options.traffic.options = 0.5;
  options.still_every = period(absl::Milliseconds(400));
  options.times_every = period(absl::Milliseconds(200));
  if (dice.Chance(0.5)) options.traffic.calls = 0.3;
  options.update_every = period(absl::Milliseconds(200));
  return options;
}

SimulationResult RunSimulation(const SimulationOptions& options) {
  return Simulation(options).Run();
}

}  // namespace cluster
