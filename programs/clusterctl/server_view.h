// ServerView: what one server says of itself and of its peers, from its /status.
//
// All texts are foreign: a name, an address or a trouble may hold anything. A
// value.
//
//   absl::StatusOr<ServerView> view = ParseStatus(answer.body);

#ifndef PROGRAMS_CLUSTERCTL_SERVER_VIEW_H_
#define PROGRAMS_CLUSTERCTL_SERVER_VIEW_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace cluster {

using Counts = std::map<std::string, std::uint64_t>;

// One server's view of another.
struct PeerView {
  int id = 0;
  bool member = false;
  bool up = false;
  absl::Time since = absl::InfinitePast();
  std::string address;
  std::string incarnation;  // "0": none
  absl::Duration rtt;
  std::uint64_t round_trips = 0;
  absl::Duration last_round_trip;
  std::string last_trouble;
  absl::Time last_trouble_at = absl::InfinitePast();
  Counts counters;
  Counts gauges;
  Counts dropped;
  Counts refused;
};

struct ServerView {
  absl::Time at;
  int id = 0;
  std::string cluster;
  std::string library;
  std::string address;
  std::string transport;
  std::string codec;
  std::string delivery;
  std::string security;
  std::uint64_t wire_version_min = 0;
  std::uint64_t wire_version_max = 0;
  absl::Duration heartbeat;
  absl::Duration peer_timeout;
  std::string incarnation;
  bool running = false;
  bool ready = false;
  absl::Time since = absl::InfinitePast();
  std::uint64_t members = 0;
  std::uint64_t members_up = 0;
  Counts refused;  // that belong to no peer
  std::vector<PeerView> peers;

  // Null: it is no member there.
  const PeerView* Peer(int id) const;
};

// kInvalidArgument: it is no status. kUnimplemented: of a schema that this program
// does not know.
absl::StatusOr<ServerView> ParseStatus(absl::string_view json);

// 0 where it is missing.
std::uint64_t CountOf(const Counts& counts, const std::string& name);

}  // namespace cluster

#endif  // PROGRAMS_CLUSTERCTL_SERVER_VIEW_H_
