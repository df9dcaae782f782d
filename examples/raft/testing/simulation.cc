#include "examples/raft/testing/simulation.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cluster/sim/sim_cluster.h"
#include "examples/raft/messages.h"
#include "examples/raft/replica.h"
#include "examples/raft/send_options.h"
#include "examples/raft/testing/history.h"
#include "examples/raft/testing/properties.h"
#include "examples/raft/testing/sim_disk.h"

namespace raft {
namespace {

using cluster::Envelope;
using cluster::EnvelopeView;
using cluster::SimServer;
using cluster::World;

constexpr absl::Duration kTick = absl::Milliseconds(10);
constexpr absl::Duration kElectionTimeout = absl::Milliseconds(300);
constexpr absl::Duration kTrouble = absl::Seconds(6);
constexpr absl::Duration kHealMax = absl::Seconds(30);
constexpr int kClients = 4;
constexpr std::uint64_t kKeys = 3;
// So that the options differ from the run's own dice.
constexpr std::uint64_t kOptionsSalt = 0x72616674;

struct Options {
  int servers = 3;
  ReplicaConfig replica;
  cluster::NetworkFaults network;
  // Of envelopes between the sessions and Raft, as best effort would do it.
  double envelope_loss = 0;
  double envelope_repeat = 0;
  absl::Duration envelope_delay_max = absl::ZeroDuration();
  double crash_in_sync = 0;
  absl::Duration trouble_every;  // on average
  double brief_leaders = 0;  // crash or are parted just after they are elected
  absl::Duration client_pause_max;
};

Options RandomOptions(std::uint64_t seed) {
  World dice(seed ^ kOptionsSalt);
  Options options;
  options.servers = dice.Chance(0.5) ? 3 : 5;
  const auto rate = [&dice](double most) {
    return dice.Chance(0.5) ? 0
                            : most / static_cast<double>(1 << dice.Below(4));
  };
  options.network.loss = rate(0.1);
  options.network.duplicate = rate(0.1);
  options.network.reorder = rate(0.2);
  options.network.reset = rate(0.01);
  options.network.delay_max = absl::Microseconds(500) * (1 << dice.Below(7));
  options.envelope_loss = rate(0.2);
  options.envelope_repeat = rate(0.2);
  if (dice.Chance(0.5))
    options.envelope_delay_max = absl::Milliseconds(5) * (1 << dice.Below(6));
  options.crash_in_sync = rate(0.01);
  options.trouble_every = absl::Milliseconds(100) * (1 << dice.Below(4));
  options.brief_leaders = rate(0.9);
  options.client_pause_max = absl::Milliseconds(10) * (1 << dice.Below(4));
  // Small, so that all limits are met.
  options.replica.log_entries_max = Index{8} << dice.Below(5);
  options.replica.entries_bytes_max = std::size_t{1} << dice.Below(10);
  options.replica.chunk_bytes = std::size_t{16} << dice.Below(3);
  options.replica.snapshot_ticks = 30;
  return options;
}

class Simulation final : public cluster::SimApplication {
 public:
  explicit Simulation(std::uint64_t seed)
      : options_(RandomOptions(seed)),
        cluster_(seed, options_.servers, SessionConfig(seed), this) {
    for (int id = 1; id <= options_.servers; ++id) {
      sites_.emplace_back(std::make_unique<Site>(&world_));
      sites_.back()->disk.SetCrashInSync(options_.crash_in_sync);
      options_.replica.members.insert(id);
    }
  }

  SimulationResult Run() {
    cluster_.network().SetFaults(options_.network);
    cluster_.Start();
    Trouble();
    for (int client = 0; client < kClients; ++client) Ask();
    RunUntil(world_.Now() + kTrouble, [] { return false; });
    Heal();
    if (!failed() && !RunUntil(world_.Now() + kHealMax, [this] {
          return last_put_done_ && AllAppliedTheSame();
        }))
      Fail("no progress after all was healed");
    const std::string key = history_.Check();
    if (!key.empty())
      Fail(absl::StrCat("the history of ", key, " is not linearizable"));
    result_.leaders = properties_.leaders();
    result_.committed = properties_.committed();
    result_.responses = history_.responses();
    return result_;
  }

  // --- the server's side ---

  void OnStart(SimServer& server) override {
    Site& site = SiteOf(server.id());
    ReplicaConfig config = options_.replica;
    config.id = server.id();
    config.seed = world_.Random();
    site.dying = false;
    site.replica = std::make_unique<Replica>(
        config, site.disk.Read(), &site.disk,
        [this, &server](const Envelope& envelope) {
          if (envelope.msg_type == kInstallSnapshotRequest)
            ++result_.snapshots_sent;
          server.Send(envelope, OptionsOf(envelope, kElectionTimeout));
        });
    Step(server.id());
    TickLater(&server);
  }

  void OnEnvelope(SimServer& server, const EnvelopeView& view) override {
    if (healed_) return Give(server.id(), view);
    const int copies = world_.Chance(options_.envelope_loss)     ? 0
                       : world_.Chance(options_.envelope_repeat) ? 2
                                                                 : 1;
    for (int copy = 0; copy < copies; ++copy) {
      if (options_.envelope_delay_max == absl::ZeroDuration()) {
        Give(server.id(), view);
        continue;
      }
      // Each its own delay: so they overtake each other.
      world_.After(
          world_.Between(absl::ZeroDuration(), options_.envelope_delay_max),
          [this, &server, life = server.life(), envelope = view.ToEnvelope()] {
            if (server.running() && server.life() == life)
              Give(server.id(), envelope);
          });
    }
  }

 private:
  struct Site {
    explicit Site(World* world) : disk(world) {}
    SimDisk disk;
    std::unique_ptr<Replica> replica;  // while the server runs
    bool dying = false;                // its disk has failed
  };

  static cluster::internal::SessionConfig SessionConfig(std::uint64_t seed) {
    cluster::internal::SessionConfig session = cluster::SimSessionConfig();
    session.heartbeat = absl::Milliseconds(200);
    session.peer_timeout = absl::Milliseconds(800);
    if (seed % 2 == 0) session.on_peer_restart = cluster::OnPeerRestart::kDrop;
    return session;
  }

  Site& SiteOf(int id) { return *sites_[static_cast<std::size_t>(id - 1)]; }
  bool Lives(int id) {
    return SiteOf(id).replica != nullptr && !SiteOf(id).dying;
  }
  bool failed() const { return !result_.violation.empty(); }

  void Fail(const std::string& text) {
    if (failed()) return;
    result_.violation = absl::StrCat(
        absl::ToDoubleSeconds(world_.Now() - absl::UnixEpoch()), " s: ", text);
  }

  template <typename Condition>
  bool RunUntil(absl::Time deadline, Condition condition) {
    while (!failed() && world_.Now() < deadline && !condition())
      cluster_.RunFor(kTick);
    return condition();
  }

  void TickLater(SimServer* server) {
    world_.After(kTick, [this, server, life = server->life()] {
      if (!server->running() || server->life() != life) return;
      if (Lives(server->id())) {
        SiteOf(server->id()).replica->Tick();
        Step(server->id());
      }
      TickLater(server);
    });
  }

  void Give(int id, const EnvelopeView& envelope) {
    if (!Lives(id)) return;
    SiteOf(id).replica->OnEnvelope(envelope);
    Step(id);
  }

  // After each input.
  void Step(int id) {
    Site& site = SiteOf(id);
    const std::uint64_t life = cluster_.server(id).life();
    properties_.Check(id, life, site.replica->raft());
    const Raft& raft = site.replica->raft();
    if (raft.role() == Role::kLeader && raft.current_term() > newest_term_) {
      newest_term_ = raft.current_term();
      OnElection(id);
    }
    const absl::Status worked = site.replica->Work();
    if (worked.ok()) {
      properties_.Check(id, life, site.replica->raft());
      properties_.CheckState(id, *site.replica);
    } else {
      ++result_.crashes_in_sync;
      site.dying = true;
      world_.After(absl::ZeroDuration(), [this, id, life] {
        if (cluster_.server(id).life() == life) Crash(id);
      });
    }
    if (!properties_.violations().empty())
      Fail(properties_.violations().front());
    if (!cluster_.checker().ok()) Fail(cluster_.checker().violations().front());
  }

  // --- trouble ---

  void Crash(int id) {
    if (!cluster_.server(id).running()) return;
    ++result_.crashes;
    cluster_.server(id).Crash();
    SiteOf(id).replica.reset();
    SiteOf(id).disk.Crash();
    world_.After(world_.Between(absl::ZeroDuration(), absl::Seconds(1)),
                 [this, id] {
                   if (!cluster_.server(id).running())
                     cluster_.server(id).Start();
                 });
  }

  // Often the leader, for there it hurts most.
  int Victim() {
    if (world_.Chance(0.5)) {
      for (int id = 1; id <= options_.servers; ++id) {
        if (Lives(id) && SiteOf(id).replica->raft().role() == Role::kLeader)
          return id;
      }
    }
    return AnyServer();
  }
  int AnyServer() {
    return 1 + static_cast<int>(
                   world_.Below(static_cast<std::uint64_t>(options_.servers)));
  }

  // Parts some servers from the others, in one direction or in both.
  void Part(std::set<int> some) {
    const bool out = world_.Chance(0.8);
    const bool in = !out || world_.Chance(0.8);
    for (int a = 1; a <= options_.servers; ++a) {
      for (int b = 1; b <= options_.servers; ++b) {
        if (some.count(a) == 0 || some.count(b) > 0) continue;
        if (out) cluster_.network().Block(a, b);
        if (in) cluster_.network().Block(b, a);
      }
    }
    world_.After(world_.Between(absl::ZeroDuration(), absl::Seconds(2)),
                 [this] { cluster_.network().UnblockAll(); });
  }

  void Trouble() {
    world_.After(
        world_.Between(absl::ZeroDuration(), 2 * options_.trouble_every),
        [this] {
          if (healed_) return;
          if (world_.Chance(0.5)) {
            Crash(Victim());
          } else {
            std::set<int> some = {Victim()};
            for (int i = 0; i < options_.servers / 2 - 1; ++i)
              some.insert(AnyServer());
            Part(std::move(some));
          }
          Trouble();
        });
  }

  // A leader that is gone after a message or two leaves entries on few servers,
  // as in the paper's figure 8.
  void OnElection(int leader) {
    if (healed_ || !world_.Chance(options_.brief_leaders)) return;
    world_.After(
        world_.Between(absl::ZeroDuration(),
                       absl::Milliseconds(10) + 4 * options_.network.delay_max),
        [this, leader] {
          if (healed_) return;
          if (world_.Chance(0.5)) {
            Crash(leader);
          } else {
            Part({leader});
          }
        });
  }

  void Heal() {
    healed_ = true;
    for (const auto& site : sites_) site->disk.SetCrashInSync(0);
    cluster_.Heal();
  }

  // --- clients ---

  // Asks one thing after the other, of the server that leads, or of any.
  void Ask() {
    world_.After(
        world_.Between(absl::ZeroDuration(), options_.client_pause_max),
        [this] {
          if (last_put_done_) return;
          const bool is_put = healed_ || world_.Chance(0.5);
          AskServer(Victim(), is_put, absl::StrCat("key", world_.Below(kKeys)));
        });
  }

  void AskServer(int id, bool is_put, const std::string& key) {
    if (!Lives(id)) return Ask();
    const std::string value = is_put ? absl::StrCat(++values_) : "";
    const int operation =
        is_put ? history_.InvokePut(key, value) : history_.InvokeGet(key);
    // Ends once: by the response, or when the client has lost its patience.
    const auto waits = std::make_shared<bool>(true);
    SiteOf(id).replica->Propose(
        is_put ? PutCommand(key, value) : GetCommand(key),
        [=, was_healed = healed_](const absl::StatusOr<std::string>& result) {
          if (result.ok()) history_.Respond(operation, *result);
          if (absl::IsFailedPrecondition(result.status()) ||
              absl::IsAborted(result.status()))
            history_.Forget(operation);
          if (result.ok() && was_healed) last_put_done_ = true;
          if (std::exchange(*waits, false)) Ask();
        });
    Step(id);
    if (!*waits) return;
    world_.After(absl::Seconds(1), [=] {
      if (std::exchange(*waits, false)) Ask();
    });
  }

  bool AllAppliedTheSame() {
    for (int id = 1; id <= options_.servers; ++id) {
      if (!Lives(id) ||
          SiteOf(id).replica->raft().last_applied() != properties_.committed())
        return false;
    }
    return true;
  }

  Options options_;
  SimulationResult result_;
  cluster::SimCluster cluster_;
  World& world_ = cluster_.world();
  std::vector<std::unique_ptr<Site>> sites_;
  Properties properties_;
  History history_;
  Term newest_term_ = 0;  // that has a leader
  int values_ = 0;
  bool healed_ = false;
  bool last_put_done_ = false;
};

}  // namespace

SimulationResult RunSimulation(std::uint64_t seed) {
  return Simulation(seed).Run();
}

}  // namespace raft
