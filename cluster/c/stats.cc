// Statistics by name: the figures of cluster/stats.h.

#include "cluster/stats.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "cluster/c/cluster.h"
#include "cluster/c/handle.h"
#include "cluster/c/status.h"

struct cluster_stats {
  int own_id;
  cluster::ServerStats stats;
};

namespace cluster::internal {
namespace {

template <typename Stats>
struct Figure {
  std::string name;
  std::function<std::uint64_t(const Stats&)> get;
};
template <typename Stats>
using Figures = std::vector<Figure<Stats>>;

// As a name of a figure: "dropped_peer_restart".
std::string Name(const char* prefix, const char* reason) {
  return absl::StrCat(prefix, "_", absl::StrReplaceAll(reason, {{" ", "_"}}));
}

// 0 for the infinite ones.
std::uint64_t Milliseconds(absl::Time time) {
  if (time == absl::InfiniteFuture() || time < absl::UnixEpoch()) return 0;
  return static_cast<std::uint64_t>(absl::ToUnixMillis(time));
}

template <typename Stats>
void AddRefusals(Figures<Stats>* figures) {
  for (int i = 0; i < kRefusalReasons; ++i) {
    const auto reason = static_cast<RefusalReason>(i);
    figures->push_back(
        {Name("refused", RefusalReasonName(reason)),
         [reason](const Stats& stats) { return stats.Refused(reason); }});
  }
}

Figures<PeerStats> MakePeerFigures() {
  using Peer = PeerStats;
  Figures<Peer> figures = {
      {"up", [](const Peer& peer) { return std::uint64_t{peer.up}; }},
      {"since_ms", [](const Peer& peer) { return Milliseconds(peer.since); }},
      {"incarnation", [](const Peer& peer) { return peer.incarnation; }},
      {"wire_version",
       [](const Peer& peer) {
         return static_cast<std::uint64_t>(peer.wire_version);
       }},
      {"rtt_ns",
       [](const Peer& peer) {
         return static_cast<std::uint64_t>(absl::ToInt64Nanoseconds(peer.rtt));
       }},
#define CLUSTER_FIGURE(name, kind, text) \
  {#name, [](const Peer& peer) { return peer.name; }},
      CLUSTER_PEER_COUNTERS(CLUSTER_FIGURE)
#undef CLUSTER_FIGURE
          {"last_trouble_at_ms",
           [](const Peer& peer) { return Milliseconds(peer.last_trouble_at); }},
      {"certificate_expires_ms",
       [](const Peer& peer) { return Milliseconds(peer.certificate_expires); }},
  };
  for (int i = 0; i < kDropReasons; ++i) {
    const auto reason = static_cast<DropReason>(i);
    figures.push_back(
        {Name("dropped", DropReasonName(reason)),
         [reason](const Peer& peer) { return peer.Dropped(reason); }});
  }
  AddRefusals(&figures);
  return figures;
}

Figures<ServerStats> MakeServerFigures() {
  using Stats = ServerStats;
  Figures<Stats> figures = {
      {"delivered", [](const Stats& stats) { return stats.delivered; }},
      {"slow_handlers", [](const Stats& stats) { return stats.slow_handlers; }},
      {"application_stalls",
       [](const Stats& stats) { return stats.application_stalls; }},
      {"inbox_bytes", [](const Stats& stats) { return stats.inbox_bytes; }},
      {"held_bytes", [](const Stats& stats) { return stats.held_bytes; }},
      {"reassembly_bytes",
       [](const Stats& stats) { return stats.reassembly_bytes; }},
      {"kept_bytes", [](const Stats& stats) { return stats.kept_bytes; }},
  };
  AddRefusals(&figures);
  return figures;
}

// Made with the first snapshot, and kept.
const Figures<PeerStats>& PeerFigures() {
  static const auto& figures = *new auto(MakePeerFigures());
  return figures;
}
const Figures<ServerStats>& ServerFigures() {
  static const auto& figures = *new auto(MakeServerFigures());
  return figures;
}

const PeerStats* FindPeer(const cluster_stats& stats, int peer) {
  if (peer == CLUSTER_STATS_REMOVED) return &stats.stats.removed_earlier;
  if (peer == stats.own_id) return &stats.stats.own;
  return stats.stats.Peer(peer);
}

template <typename Stats>
absl::Status Get(const Figures<Stats>& figures, const Stats& stats,
                 absl::string_view name, std::uint64_t* value) {
  for (const Figure<Stats>& figure : figures) {
    if (figure.name != name) continue;
    *value = figure.get(stats);
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "no figure \"", name, "\": cluster_stats_name has the names"));
}

}  // namespace
}  // namespace cluster::internal

using cluster::internal::Guarded;
using cluster::internal::NotNull;

cluster_status cluster_server_stats(cluster_server* server,
                                    cluster_stats** stats) {
  return Guarded([&] {
    absl::Status status = NotNull({{"server", server}, {"stats", stats}});
    if (!status.ok()) return status;
    cluster::internal::PeerFigures();
    cluster::internal::ServerFigures();
    *stats = std::make_unique<cluster_stats>(
                 cluster_stats{server->server->Pid(), server->server->Stats()})
                 .release();
    return absl::OkStatus();
  });
}

void cluster_stats_free(cluster_stats* stats) { delete stats; }

cluster_status cluster_stats_peers(const cluster_stats* stats, int32_t* ids,
                                   size_t capacity, size_t* count) {
  return Guarded([&] {
    absl::Status status = NotNull({{"stats", stats}});
    if (!status.ok()) return status;
    std::vector<int> peers;
    for (const cluster::PeerStats& peer : stats->stats.peers)
      peers.push_back(peer.peer);
    return cluster::internal::CopyIds(peers, ids, capacity, count);
  });
}

const char* cluster_stats_name(const cluster_stats* stats, int32_t peer,
                               size_t index) {
  if (stats == nullptr) return nullptr;
  const auto name = [index](const auto& figures) {
    return index < figures.size() ? figures[index].name.c_str() : nullptr;
  };
  return peer == CLUSTER_STATS_SERVER ? name(cluster::internal::ServerFigures())
                                      : name(cluster::internal::PeerFigures());
}

cluster_status cluster_stats_get(const cluster_stats* stats, int32_t peer,
                                 const char* name, uint64_t* value) {
  return Guarded([&] {
    absl::Status status =
        NotNull({{"stats", stats}, {"name", name}, {"value", value}});
    if (!status.ok()) return status;
    if (peer == CLUSTER_STATS_SERVER) {
      return cluster::internal::Get(cluster::internal::ServerFigures(),
                                    stats->stats, name, value);
    }
    const cluster::PeerStats* const found =
        cluster::internal::FindPeer(*stats, peer);
    if (found == nullptr) {
      return absl::NotFoundError(absl::StrCat(
          "no statistics of server ", peer,
          ": it is no member, nor one of those that were removed last"));
    }
    return cluster::internal::Get(cluster::internal::PeerFigures(), *found,
                                  name, value);
  });
}

const char* cluster_stats_last_trouble(const cluster_stats* stats,
                                       int32_t peer) {
  if (stats == nullptr) return nullptr;
  const cluster::PeerStats* const found =
      cluster::internal::FindPeer(*stats, peer);
  return found == nullptr ? nullptr : found->last_trouble.c_str();
}
