#include "examples/raft/messages.h"

#include <utility>

#include "examples/raft/coding.h"

namespace raft {
namespace {

// prevLogIndex, prevLogTerm, leaderCommit and the number of entries.
constexpr std::size_t kHeartbeatBytes = 4 * kNumberBytes;

bool TakeBool(absl::string_view* bytes, bool* value) {
  std::uint64_t number = 0;
  if (!Take(bytes, &number)) return false;
  *value = number != 0;
  return true;
}

}  // namespace

std::string Encode(const RequestVote& message) {
  std::string bytes;
  Put(message.last_log_index, &bytes);
  Put(message.last_log_term, &bytes);
  return bytes;
}

bool Decode(absl::string_view bytes, RequestVote* message) {
  return Take(&bytes, &message->last_log_index) &&
         Take(&bytes, &message->last_log_term) && bytes.empty();
}

std::string Encode(const AppendEntries& message) {
  std::string bytes;
  Put(message.prev_log_index, &bytes);
  Put(message.prev_log_term, &bytes);
  Put(message.leader_commit, &bytes);
  Put(message.entries.size(), &bytes);
  for (const Entry& entry : message.entries) {
    Put(entry.term, &bytes);
    PutString(entry.command, &bytes);
  }
  return bytes;
}

bool Decode(absl::string_view bytes, AppendEntries* message) {
  std::uint64_t entries = 0;
  if (!Take(&bytes, &message->prev_log_index) ||
      !Take(&bytes, &message->prev_log_term) ||
      !Take(&bytes, &message->leader_commit) || !Take(&bytes, &entries))
    return false;
  for (std::uint64_t i = 1; i <= entries; ++i) {
    Entry entry;
    entry.index = message->prev_log_index + i;
    if (!Take(&bytes, &entry.term) || !TakeString(&bytes, &entry.command))
      return false;
    message->entries.push_back(std::move(entry));
  }
  return bytes.empty();
}

bool IsHeartbeat(const cluster::Envelope& envelope) {
  return envelope.msg_type == cluster::MsgType::kAppendEntriesRequest &&
         envelope.payload.size() == kHeartbeatBytes;
}

std::string Encode(const AppendEntriesResponse& message) {
  std::string bytes;
  Put(message.success ? 1 : 0, &bytes);
  Put(message.index, &bytes);
  return bytes;
}

bool Decode(absl::string_view bytes, AppendEntriesResponse* message) {
  return TakeBool(&bytes, &message->success) && Take(&bytes, &message->index) &&
         bytes.empty();
}

std::string Encode(const InstallSnapshot& message) {
  std::string bytes;
  Put(message.last_included_index, &bytes);
  Put(message.last_included_term, &bytes);
  Put(message.offset, &bytes);
  Put(message.done ? 1 : 0, &bytes);
  PutString(message.data, &bytes);
  return bytes;
}

bool Decode(absl::string_view bytes, InstallSnapshot* message) {
  return Take(&bytes, &message->last_included_index) &&
         Take(&bytes, &message->last_included_term) &&
         Take(&bytes, &message->offset) && TakeBool(&bytes, &message->done) &&
         TakeString(&bytes, &message->data) && bytes.empty();
}

std::string Encode(const InstallSnapshotResponse& message) {
  std::string bytes;
  Put(message.last_included_index, &bytes);
  Put(message.bytes, &bytes);
  return bytes;
}

bool Decode(absl::string_view bytes, InstallSnapshotResponse* message) {
  return Take(&bytes, &message->last_included_index) &&
         Take(&bytes, &message->bytes) && bytes.empty();
}

}  // namespace raft
