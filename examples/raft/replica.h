// Replica: one server of the replicated map: Raft, its disk and its map, in the
// order that figure 2 demands.
//
// Feed it inputs, as many as there are, then call Work. So all of them share one
// Sync. Without threads and clocks: the simulator runs it as a process does
// (node.h). It borrows the disk.
//
//   Replica replica(config, persistent, &disk, [&](const auto& envelope) { ... });
//   replica.OnEnvelope(envelope);
//   absl::Status status = replica.Work();

#ifndef EXAMPLES_RAFT_REPLICA_H_
#define EXAMPLES_RAFT_REPLICA_H_

#include <functional>
#include <map>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cluster/envelope.h"
#include "examples/raft/disk.h"
#include "examples/raft/key_values.h"
#include "examples/raft/raft.h"

namespace raft {

struct ReplicaConfig : RaftConfig {
  Index log_entries_max = 10000;  // then a snapshot takes their place
};

class Replica {
 public:
  using Sender = std::function<void(const cluster::Envelope& envelope)>;
  using Done = std::function<void(const absl::StatusOr<std::string>& value)>;

  Replica(const ReplicaConfig& config, Persistent persistent, Disk* disk,
          Sender send);
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;

  void OnEnvelope(const cluster::EnvelopeView& envelope) {
    raft_.OnEnvelope(envelope);
  }
  void Tick() { raft_.Tick(); }
  // Calls `done` in a later Work, with the result of the command. It may never
  // do so, as long as no majority can be reached. kFailedPrecondition: this is
  // not the leader, at once. kAborted: another entry took the command's place.
  // Neither runs it. kUnknown: a snapshot has its place, so it may have run.
  void Propose(std::string command, Done done);

  // Stores, sends and applies what follows from the inputs. After an error,
  // which is the disk's, end the process.
  absl::Status Work();

  const Raft& raft() const { return raft_; }
  const KeyValues& map() const { return map_; }

 private:
  void Apply(const Entry& entry);
  void Restore(const Snapshot& snapshot);

  const ReplicaConfig config_;
  Disk* const disk_;
  const Sender send_;
  Raft raft_;
  KeyValues map_;
  // A later leader may have replaced an entry: several have one index then.
  std::map<std::pair<Index, Term>, Done> proposals_;
};

}  // namespace raft

#endif  // EXAMPLES_RAFT_REPLICA_H_
