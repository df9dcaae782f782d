// Raft: one server's part of the consensus, after figure 2 of "In Search of an
// Understandable Consensus Algorithm" (Ongaro and Ousterhout, extended version).
//
// A state machine without I/O, clock or threads. Feed it envelopes, ticks and
// proposals; then take the output and do it in the order of its members. Replica
// (replica.h) does that. Names are the paper's. A file for each concern:
// raft.cc (rules for servers), election.cc, replication.cc and snapshot.cc.
//
//   raft.OnEnvelope(envelope);
//   Output output = raft.TakeOutput();
//   // store output.persist, send output.send, apply output.committed

#ifndef EXAMPLES_RAFT_RAFT_H_
#define EXAMPLES_RAFT_RAFT_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "cluster/envelope.h"
#include "examples/raft/disk.h"
#include "examples/raft/log.h"
#include "examples/raft/messages.h"

namespace raft {

enum class Role { kFollower, kCandidate, kLeader };

const char* RoleName(Role role);  // "follower" and so on

struct RaftConfig {
  int id = 0;
  std::set<int> members;  // all servers, this one too
  // An election begins after a random number of ticks between these without a
  // leader.
  int election_ticks_min = 15;
  int election_ticks_max = 30;
  int heartbeat_ticks = 5;
  // Entries that are unanswered for so long are sent again, and a snapshot.
  int entries_ticks = 15;
  int snapshot_ticks = 300;
  std::size_t entries_bytes_max = 256u << 10;  // of one AppendEntries
  std::size_t chunk_bytes = 256u << 10;        // of one InstallSnapshot
  std::uint64_t seed = 0;                      // of the random numbers
};

struct Output {
  // 1. Store this, and sync.
  absl::optional<Update> persist;
  // 2. Send these. An AppendEntriesRequest may leave before 1 is done, for the
  // leader handles no answer before that (section 10.2.1 of Ongaro's thesis).
  std::vector<cluster::Envelope> send;
  // 3. Unless null, the state machine becomes this.
  std::shared_ptr<const Snapshot> install;
  // 4. Apply these.
  std::vector<Entry> committed;
};

class Raft {
 public:
  // `persistent` is what Disk had: empty at the first start.
  Raft(const RaftConfig& config, Persistent persistent);
  Raft(const Raft&) = delete;
  Raft& operator=(const Raft&) = delete;

  // --- inputs ---

  void OnEnvelope(const cluster::EnvelopeView& envelope);
  void Tick();
  // Appends a command to the log of the leader, and returns its place. It is
  // committed once output has an entry of that index and term; an entry of
  // another term took its place. kFailedPrecondition: this is not the leader.
  absl::StatusOr<Entry> Propose(std::string command);
  // The application's state after the last entry that it applied. The log
  // forgets all up to that.
  void Compact(std::string state);

  // --- output ---

  Output TakeOutput();

  Role role() const { return role_; }
  int leader() const { return leader_; }  // or kNobody, as far as it knows
  Term current_term() const { return current_term_; }
  Index commit_index() const { return commit_index_; }
  Index last_applied() const { return last_applied_; }
  const Log& log() const { return log_; }

 private:
  // Figure 2, "volatile state on leaders", for one follower.
  struct Follower {
    Index next_index = 0;
    Index match_index = 0;
    // The last entry that is on its way. Until an answer comes, or is overdue, the
    // follower gets heartbeats only. 0: nothing is.
    Index sent_index = 0;
    int ticks_without_answer = 0;
    // The snapshot that it gets, because the log begins behind next_index.
    std::shared_ptr<const Snapshot> snapshot;
    std::uint64_t snapshot_bytes = 0;  // sent so far
  };

  // raft.cc
  void BecomeFollower(Term term);
  void HearLeader(int leader);
  void ResetElectionTimer();
  bool IsMajority(std::size_t servers) const {
    return servers > config_.members.size() / 2;
  }
  void Append(std::string command);
  void Send(int pid, cluster::MsgType type, std::string payload,
            cluster::Lane lane = cluster::Lane::kNormal, bool voted = false);

  // election.cc
  void StartElection();
  void BecomeLeader();
  void OnRequestVote(int candidate, Term term, const RequestVote& request);
  void OnRequestVoteResponse(int voter, bool vote_granted);

  // replication.cc
  void SendHeartbeats();
  void SendAppendEntries(int pid, Follower* follower, bool heartbeat);
  void ReplicateTo(int pid, Follower* follower);
  void OnAppendEntries(int leader, Term term, AppendEntries request);
  void OnAppendEntriesResponse(int pid, const AppendEntriesResponse& response);
  void AdvanceCommitIndex();

  // snapshot.cc
  void SendSnapshotChunk(int pid, Follower* follower);
  void OnInstallSnapshot(int leader, Term term, InstallSnapshot request);
  void OnInstallSnapshotResponse(int pid,
                                 const InstallSnapshotResponse& response);

  const RaftConfig config_;
  std::mt19937_64 random_;

  // Figure 2, "persistent state on all servers", and the snapshot (section 7).
  Term current_term_ = 0;
  int voted_for_ = kNobody;
  std::shared_ptr<const Snapshot> snapshot_;
  Log log_;

  // Figure 2, "volatile state on all servers".
  Index commit_index_ = 0;
  Index last_applied_ = 0;

  Role role_ = Role::kFollower;
  int leader_ = kNobody;
  int election_ticks_ = 0;  // left until an election
  int heartbeat_ticks_ = 0;
  std::set<int> votes_;                // of a candidate
  std::map<int, Follower> followers_;  // of a leader
  InstallSnapshot incoming_;           // the chunks so far

  // For the next output.
  std::vector<cluster::Envelope> send_;
  std::shared_ptr<const Snapshot> install_;
  bool vote_changed_ = false;  // or the term
  bool snapshot_changed_ = false;
  Index changed_from_ = 0;  // the first entry of the log that changed; 0: none
};

}  // namespace raft

#endif  // EXAMPLES_RAFT_RAFT_H_
