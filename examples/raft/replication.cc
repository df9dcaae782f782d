// Figure 2, "AppendEntries RPC", and the rules for leaders (sections 5.3, 5.4).
//
// A follower gets one AppendEntries with entries at a time; meanwhile new ones
// gather for the next. Heartbeats name a place in the log, so all use the normal
// lane: an urgent one would overtake the entries that it is about.

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "examples/raft/bug.h"
#include "examples/raft/raft.h"

namespace raft {

using cluster::MsgType;

void Raft::SendHeartbeats() {
  heartbeat_ticks_ = config_.heartbeat_ticks;
  for (auto& [pid, follower] : followers_) {
    SendAppendEntries(pid, &follower, /*heartbeat=*/true);
    // Entries on their way may be lost, with a process for example.
    follower.ticks_without_answer += config_.heartbeat_ticks;
    const int patience = follower.snapshot != nullptr ? config_.snapshot_ticks
                                                      : config_.entries_ticks;
    if (follower.ticks_without_answer > patience) {
      follower.snapshot = nullptr;
      follower.sent_index = 0;
    }
  }
}

void Raft::ReplicateTo(int pid, Follower* follower) {
  if (follower->sent_index > 0 || follower->next_index > log_.last_index())
    return;
  follower->ticks_without_answer = 0;
  if (follower->next_index <= log_.base_index()) {
    SendSnapshotChunk(pid, follower);
  } else {
    SendAppendEntries(pid, follower, /*heartbeat=*/false);
  }
}

void Raft::SendAppendEntries(int pid, Follower* follower, bool heartbeat) {
  AppendEntries request;
  // While the follower lacks what the log has forgotten, this names the place of
  // the snapshot, and the follower says no.
  request.prev_log_index =
      std::max(follower->next_index - 1, log_.base_index());
  request.prev_log_term = request.prev_log_index == log_.base_index()
                              ? log_.base_term()
                              : log_.At(request.prev_log_index).term;
  request.leader_commit = commit_index_;
  if (!heartbeat) {
    request.entries =
        log_.From(follower->next_index, config_.entries_bytes_max);
    follower->sent_index = request.entries.back().index;
  }
  Send(pid, MsgType::kAppendEntriesRequest, Encode(request));
}

void Raft::OnAppendEntries(int leader, Term term, AppendEntries request) {
  AppendEntriesResponse response;
  const auto respond = [&] {
    Send(leader, MsgType::kAppendEntriesResponse, Encode(response));
  };
  // 1. "Reply false if term < currentTerm."
  if (term < current_term_ && kBug != Bug::kObeyStaleLeader) return respond();
  HearLeader(leader);

  // Entries that the snapshot has are committed, so they match.
  const Index base = log_.base_index();
  const bool covered = request.prev_log_index < base;
  // 2. "Reply false if log doesn't contain an entry at prevLogIndex whose term
  // matches prevLogTerm." The leader goes on before all entries of the term that
  // does not match (end of section 5.3).
  if (!covered && !log_.Has(request.prev_log_index, request.prev_log_term)) {
    response.index = std::min(request.prev_log_index - 1, log_.last_index());
    if (response.index < request.prev_log_index &&
        request.prev_log_index <= log_.last_index()) {
      const Term conflicting = log_.At(request.prev_log_index).term;
      while (response.index > commit_index_ &&
             log_.At(response.index).term == conflicting)
        --response.index;
    }
    return respond();
  }
  const Index last_new = request.prev_log_index + request.entries.size();
  for (Entry& entry : request.entries) {
    if (entry.index <= base || log_.Has(entry.index, entry.term)) continue;
    // 3. "If an existing entry conflicts with a new one (same index but different
    // terms), delete the existing entry and all that follow it."
    log_.RemoveFrom(entry.index);
    // 4. "Append any new entries not already in the log."
    if (changed_from_ == 0 || changed_from_ > entry.index)
      changed_from_ = entry.index;
    log_.Append(std::move(entry));
  }
  // 5. "If leaderCommit > commitIndex, set commitIndex = min(leaderCommit, index
  // of last new entry)."
  commit_index_ =
      std::max(commit_index_, std::min(request.leader_commit, last_new));
  response.success = true;
  response.index = last_new;
  respond();
}

void Raft::OnAppendEntriesResponse(int pid,
                                   const AppendEntriesResponse& response) {
  if (role_ != Role::kLeader || response.index > log_.last_index()) return;
  Follower& follower = followers_[pid];
  if (response.success) {
    // "If successful: update nextIndex and matchIndex for follower."
    follower.match_index = std::max(follower.match_index, response.index);
    follower.next_index =
        std::max(follower.next_index, follower.match_index + 1);
    if (follower.match_index >= follower.sent_index) {
      follower.snapshot = nullptr;
      follower.sent_index = 0;
    }
    AdvanceCommitIndex();
    return;
  }
  // "If AppendEntries fails because of log inconsistency: decrement nextIndex and
  // retry." An answer that comes twice decrements nothing, and so is not retried.
  const Index next_index = std::max(follower.match_index, response.index) + 1;
  if (follower.snapshot == nullptr && next_index < follower.next_index) {
    follower.next_index = next_index;
    follower.sent_index = 0;
  }
}

// "If there exists an N such that N > commitIndex, a majority of matchIndex[i] >=
// N, and log[N].term == currentTerm: set commitIndex = N."
void Raft::AdvanceCommitIndex() {
  std::vector<Index> match = {log_.last_index()};
  for (const auto& [pid, follower] : followers_)
    match.push_back(follower.match_index);
  std::sort(match.begin(), match.end(), std::greater<>());
  const Index n = match[match.size() / 2];  // a majority has it
  if (n <= commit_index_) return;
  if (log_.Has(n, current_term_) || kBug == Bug::kCountOldTerms)
    commit_index_ = n;
}

}  // namespace raft
