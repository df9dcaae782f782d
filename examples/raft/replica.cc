#include "examples/raft/replica.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "examples/raft/bug.h"

namespace raft {

Replica::Replica(const ReplicaConfig& config, Persistent persistent, Disk* disk,
                 Sender send)
    : config_(config),
      disk_(disk),
      send_(std::move(send)),
      raft_(config, std::move(persistent)) {}

void Replica::Propose(std::string command, Done done) {
  const absl::StatusOr<Entry> entry = raft_.Propose(std::move(command));
  if (!entry.ok()) return done(entry.status());
  proposals_[{entry->index, entry->term}] = std::move(done);
}

absl::Status Replica::Work() {
  const Output output = raft_.TakeOutput();
  const auto send = [&](bool entries) {
    for (const cluster::Envelope& envelope : output.send) {
      const bool is_entries =
          envelope.msg_type == cluster::MsgType::kAppendEntriesRequest;
      if (is_entries == entries) send_(envelope);
    }
  };
  // The followers store the entries while the leader does.
  send(/*entries=*/true);
  if (output.persist.has_value()) {
    // "Persistent state ... updated on stable storage before responding to RPCs."
    absl::Status status = disk_->Write(*output.persist);
    if (status.ok() && kBug != Bug::kForgetFsync) status = disk_->Sync();
    if (!status.ok()) return status;
  }
  send(/*entries=*/false);
  if (output.install != nullptr) Restore(*output.install);
  for (const Entry& entry : output.committed) Apply(entry);
  const Log& log = raft_.log();
  if (raft_.last_applied() - log.base_index() >= config_.log_entries_max)
    raft_.Compact(map_.Save());
  return absl::OkStatus();
}

void Replica::Apply(const Entry& entry) {
  const std::string value = map_.Apply(entry.command);
  while (!proposals_.empty() &&
         proposals_.begin()->first.first <= entry.index) {
    const auto [place, done] = std::move(*proposals_.begin());
    proposals_.erase(proposals_.begin());
    if (place.second == entry.term) {
      done(value);
    } else {
      done(absl::AbortedError(absl::StrCat("a command of a later leader has ",
                                           "place ", entry.index)));
    }
  }
}

void Replica::Restore(const Snapshot& snapshot) {
  map_.Restore(snapshot.state);
  while (!proposals_.empty() &&
         proposals_.begin()->first.first <= snapshot.last_included_index) {
    const Done done = std::move(proposals_.begin()->second);
    proposals_.erase(proposals_.begin());
    done(absl::UnknownError("a snapshot has the place of the command"));
  }
}

}  // namespace raft
