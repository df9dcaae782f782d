// Figure 13, "InstallSnapshot RPC", and the compaction of the log (section 7).
//
// A chunk is bulk: entries, heartbeats and votes overtake it.

#include <utility>

#include "examples/raft/raft.h"

namespace raft {

using cluster::Lane;
using cluster::MsgType;

void Raft::Compact(std::string state) {
  if (last_applied_ <= log_.base_index()) return;
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->last_included_index = last_applied_;
  snapshot->last_included_term = log_.At(last_applied_).term;
  snapshot->state = std::move(state);
  log_.RemoveThrough(snapshot->last_included_index,
                     snapshot->last_included_term);
  snapshot_ = std::move(snapshot);
  snapshot_changed_ = true;
}

// A newer snapshot does not disturb one that is under way.
void Raft::SendSnapshotChunk(int pid, Follower* follower) {
  if (follower->snapshot == nullptr) {
    follower->snapshot = snapshot_;
    follower->snapshot_bytes = 0;
    follower->sent_index = snapshot_->last_included_index;
  }
  const Snapshot& snapshot = *follower->snapshot;
  InstallSnapshot request;
  request.last_included_index = snapshot.last_included_index;
  request.last_included_term = snapshot.last_included_term;
  request.offset = follower->snapshot_bytes;
  request.data = snapshot.state.substr(request.offset, config_.chunk_bytes);
  follower->snapshot_bytes += request.data.size();
  request.done = follower->snapshot_bytes == snapshot.state.size();
  follower->ticks_without_answer = 0;
  Send(pid, kInstallSnapshotRequest, Encode(request), Lane::kBulk);
}

void Raft::OnInstallSnapshotResponse(int pid,
                                     const InstallSnapshotResponse& response) {
  if (role_ != Role::kLeader) return;
  Follower& follower = followers_[pid];
  // Else it is the answer to a chunk that was sent twice, say.
  if (follower.snapshot != nullptr &&
      response.last_included_index == follower.snapshot->last_included_index &&
      response.bytes == follower.snapshot_bytes)
    SendSnapshotChunk(pid, &follower);
}

void Raft::OnInstallSnapshot(int leader, Term term, InstallSnapshot request) {
  // 1. "Reply immediately if term < currentTerm."
  if (term < current_term_) {
    Send(leader, kInstallSnapshotResponse, Encode(InstallSnapshotResponse()));
    return;
  }
  HearLeader(leader);
  const Index index = request.last_included_index;
  const auto succeed = [&] {
    Send(leader, MsgType::kAppendEntriesResponse,
         Encode(AppendEntriesResponse{true, index}));
  };
  if (index <= commit_index_) return succeed();

  // 2. "Create new snapshot file if first chunk (offset is 0)."
  if (request.offset == 0) {
    incoming_ = request;
    incoming_.data.clear();
  }
  // 3. "Write data into snapshot file at given offset."
  if (incoming_.last_included_index == index &&
      incoming_.last_included_term == request.last_included_term &&
      incoming_.data.size() == request.offset) {
    incoming_.data.append(request.data);
    incoming_.done = request.done;
  }
  // 4. "Reply and wait for more data chunks if done is false."
  if (incoming_.last_included_index != index || !incoming_.done) {
    const bool begun = incoming_.last_included_index == index;
    Send(leader, kInstallSnapshotResponse,
         Encode(InstallSnapshotResponse{index,
                                        begun ? incoming_.data.size() : 0}));
    return;
  }
  // 6. "If existing log entry has same index and term as snapshot's last included
  // entry, retain log entries following it and reply." Those before it too: it is
  // committed, and so are they.
  if (log_.Has(index, request.last_included_term)) {
    commit_index_ = index;
    return succeed();
  }
  // 5. "Save snapshot file", 7. "discard the entire log" and 8. "reset state
  // machine using snapshot contents".
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->last_included_index = index;
  snapshot->last_included_term = request.last_included_term;
  snapshot->state = std::move(incoming_.data);
  incoming_ = InstallSnapshot();
  log_ = Log();
  log_.RemoveThrough(index, request.last_included_term);
  snapshot_ = std::move(snapshot);
  install_ = snapshot_;
  snapshot_changed_ = true;
  changed_from_ = 0;
  commit_index_ = last_applied_ = index;
  succeed();
}

}  // namespace raft
