// Figure 2, "RequestVote RPC", and the rules for candidates (section 5.2).
//
// Votes are urgent: they overtake entries that wait. A candidate has no log
// position that an overtaken entry could contradict.

#include "examples/raft/bug.h"
#include "examples/raft/raft.h"

namespace raft {

using cluster::Lane;
using cluster::MsgType;

// "On conversion to candidate, start election: increment currentTerm, vote for
// self, reset election timer, send RequestVote RPCs to all other servers."
void Raft::StartElection() {
  BecomeFollower(current_term_ + 1);
  role_ = Role::kCandidate;
  voted_for_ = config_.id;
  votes_ = {config_.id};
  ResetElectionTimer();
  Send(cluster::kBroadcast, MsgType::kRequestVoteRequest,
       Encode(RequestVote{log_.last_index(), log_.last_term()}), Lane::kUrgent,
       /*voted=*/true);
  if (IsMajority(votes_.size())) BecomeLeader();
}

void Raft::OnRequestVote(int candidate, Term term, const RequestVote& request) {
  // 1. "Reply false if term < currentTerm."
  const bool old = term < current_term_;
  // 2. "If votedFor is null or candidateId, and candidate's log is at least as
  // up-to-date as receiver's log, grant vote."
  const bool free = voted_for_ == kNobody || voted_for_ == candidate ||
                    kBug == Bug::kVoteTwice;
  const bool up_to_date = request.last_log_term > log_.last_term() ||
                          (request.last_log_term == log_.last_term() &&
                           request.last_log_index >= log_.last_index()) ||
                          kBug == Bug::kSkipLogCheck;
  const bool vote_granted = !old && free && up_to_date;
  if (vote_granted) {
    voted_for_ = candidate;
    vote_changed_ = true;
    ResetElectionTimer();
  }
  Send(candidate, MsgType::kRequestVoteResponse, "", Lane::kUrgent,
       vote_granted);
}

void Raft::OnRequestVoteResponse(int voter, bool vote_granted) {
  if (role_ != Role::kCandidate || !vote_granted) return;
  votes_.insert(voter);
  // "If votes received from majority of servers: become leader."
  if (IsMajority(votes_.size())) BecomeLeader();
}

void Raft::BecomeLeader() {
  role_ = Role::kLeader;
  leader_ = config_.id;
  votes_.clear();
  for (int pid : config_.members) {
    if (pid == config_.id) continue;
    Follower follower;
    // "Initialized to leader last log index + 1", and to 0.
    follower.next_index = log_.last_index() + 1;
    follower.match_index = 0;
    followers_[pid] = follower;
  }
  // An entry of its own term lets it commit those of earlier terms (section 8).
  // It goes out at once, and so announces the leader.
  Append("");
  AdvanceCommitIndex();
  heartbeat_ticks_ = config_.heartbeat_ticks;
}

}  // namespace raft
