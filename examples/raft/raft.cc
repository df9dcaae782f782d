// Figure 2, "rules for servers": what all servers do with an input, and the
// output.

#include "examples/raft/raft.h"

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"

namespace raft {

using cluster::EnvelopeView;
using cluster::MsgType;

namespace {

template <typename Message>
absl::optional<Message> Read(const EnvelopeView& envelope) {
  Message message;
  if (!Decode(envelope.payload, &message)) return absl::nullopt;
  return message;
}

}  // namespace

const char* RoleName(Role role) {
  switch (role) {
    case Role::kFollower:
      return "follower";
    case Role::kCandidate:
      return "candidate";
    case Role::kLeader:
      return "leader";
  }
  return "?";
}

Raft::Raft(const RaftConfig& config, Persistent persistent)
    : config_(config),
      random_(config.seed),
      current_term_(persistent.current_term),
      voted_for_(persistent.voted_for),
      snapshot_(std::move(persistent.snapshot)),
      log_(std::move(persistent.log)),
      commit_index_(log_.base_index()),
      last_applied_(log_.base_index()),
      install_(snapshot_) {
  ResetElectionTimer();
}

void Raft::OnEnvelope(const EnvelopeView& envelope) {
  if (config_.members.count(envelope.sender_id) == 0) return;
  // "If RPC request or response contains term T > currentTerm: set currentTerm =
  // T, convert to follower."
  if (envelope.term > current_term_) BecomeFollower(envelope.term);

  const int sender = envelope.sender_id;
  const Term term = envelope.term;
  // Requests of old terms get a no; answers of old terms mean nothing any more.
  const bool current = term == current_term_;
  const MsgType type = envelope.msg_type;
  if (type == MsgType::kRequestVoteRequest) {
    if (auto request = Read<RequestVote>(envelope))
      OnRequestVote(sender, term, *request);
  } else if (type == MsgType::kRequestVoteResponse) {
    if (current) OnRequestVoteResponse(sender, envelope.voted);
  } else if (type == MsgType::kAppendEntriesRequest) {
    if (auto request = Read<AppendEntries>(envelope))
      OnAppendEntries(sender, term, *std::move(request));
  } else if (type == MsgType::kAppendEntriesResponse) {
    auto response = Read<AppendEntriesResponse>(envelope);
    if (current && response) OnAppendEntriesResponse(sender, *response);
  } else if (type == kInstallSnapshotRequest) {
    if (auto request = Read<InstallSnapshot>(envelope))
      OnInstallSnapshot(sender, term, *std::move(request));
  } else if (type == kInstallSnapshotResponse) {
    auto response = Read<InstallSnapshotResponse>(envelope);
    if (current && response) OnInstallSnapshotResponse(sender, *response);
  }
}

void Raft::Tick() {
  if (role_ == Role::kLeader) {
    // "Send ... heartbeats ... during idle periods to prevent election timeouts."
    if (--heartbeat_ticks_ <= 0) SendHeartbeats();
    return;
  }
  // "If election timeout elapses without receiving AppendEntries RPC from current
  // leader or granting vote to candidate: convert to candidate."
  if (--election_ticks_ <= 0) StartElection();
}

absl::StatusOr<Entry> Raft::Propose(std::string command) {
  if (role_ != Role::kLeader) {
    return absl::FailedPreconditionError(absl::StrCat(
        "server ", config_.id, " does not lead; ",
        leader_ == kNobody ? "it knows no leader"
                           : absl::StrCat("server ", leader_, " does")));
  }
  // "If command received from client: append entry to local log, respond after
  // entry applied to state machine."
  Append(std::move(command));
  AdvanceCommitIndex();  // one server alone is a majority
  return Entry{log_.last_index(), current_term_, ""};
}

Output Raft::TakeOutput() {
  // "If last log index >= nextIndex for a follower: send AppendEntries RPC with
  // log entries starting at nextIndex." All proposals since the last output go
  // into one.
  for (auto& [pid, follower] : followers_) ReplicateTo(pid, &follower);

  Output output;
  if (vote_changed_ || snapshot_changed_ || changed_from_ > 0) {
    output.persist.emplace();
    output.persist->current_term = current_term_;
    output.persist->voted_for = voted_for_;
    Index first = changed_from_ > 0 ? changed_from_ : log_.last_index() + 1;
    if (snapshot_changed_) {
      output.persist->snapshot = snapshot_;
      first = log_.base_index() + 1;
    }
    output.persist->first = first;
    for (Index index = first; index <= log_.last_index(); ++index)
      output.persist->entries.push_back(log_.At(index));
  }
  vote_changed_ = snapshot_changed_ = false;
  changed_from_ = 0;

  output.send = std::move(send_);
  send_.clear();
  output.install = std::move(install_);
  install_ = nullptr;
  // "If commitIndex > lastApplied: increment lastApplied, apply log[lastApplied]
  // to state machine."
  while (commit_index_ > last_applied_)
    output.committed.push_back(log_.At(++last_applied_));
  return output;
}

void Raft::BecomeFollower(Term term) {
  if (term > current_term_) {
    current_term_ = term;
    voted_for_ = kNobody;
    vote_changed_ = true;
    leader_ = kNobody;
  }
  if (role_ == Role::kLeader) ResetElectionTimer();
  role_ = Role::kFollower;
  votes_.clear();
  followers_.clear();
}

// "If AppendEntries RPC received from new leader: convert to follower."
void Raft::HearLeader(int leader) {
  BecomeFollower(current_term_);
  leader_ = leader;
  ResetElectionTimer();
}

void Raft::ResetElectionTimer() {
  election_ticks_ = std::uniform_int_distribution<int>(
      config_.election_ticks_min, config_.election_ticks_max)(random_);
}

void Raft::Append(std::string command) {
  const Index index = log_.last_index() + 1;
  log_.Append({index, current_term_, std::move(command)});
  if (changed_from_ == 0) changed_from_ = index;
}

void Raft::Send(int pid, MsgType type, std::string payload, cluster::Lane lane,
                bool voted) {
  cluster::Envelope envelope;
  envelope.pid = pid;
  envelope.sender_id = config_.id;
  envelope.msg_type = type;
  envelope.term = current_term_;
  envelope.voted = voted;
  envelope.payload = std::move(payload);
  envelope.lane = lane;
  send_.push_back(std::move(envelope));
}

}  // namespace raft
