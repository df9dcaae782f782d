#include "examples/raft/disk.h"

#include "examples/raft/coding.h"

namespace raft {

void Apply(const Update& update, Persistent* persistent) {
  persistent->current_term = update.current_term;
  persistent->voted_for = update.voted_for;
  if (update.snapshot != nullptr) {
    persistent->snapshot = update.snapshot;
    persistent->log = Log();
    persistent->log.RemoveThrough(update.snapshot->last_included_index,
                                  update.snapshot->last_included_term);
  }
  persistent->log.RemoveFrom(update.first);
  for (const Entry& entry : update.entries) persistent->log.Append(entry);
}

std::string Encode(const Update& update) {
  std::string bytes;
  Put(update.current_term, &bytes);
  Put(static_cast<std::uint64_t>(update.voted_for) + 1, &bytes);
  const Snapshot none;
  const Snapshot& snapshot = update.snapshot ? *update.snapshot : none;
  Put(snapshot.last_included_index, &bytes);
  Put(snapshot.last_included_term, &bytes);
  PutString(snapshot.state, &bytes);
  Put(update.first, &bytes);
  Put(update.entries.size(), &bytes);
  for (const Entry& entry : update.entries) {
    Put(entry.term, &bytes);
    PutString(entry.command, &bytes);
  }
  return bytes;
}

bool Decode(absl::string_view bytes, Update* update) {
  std::uint64_t voted_for_plus_1 = 0;
  std::uint64_t entries = 0;
  Snapshot snapshot;
  if (!Take(&bytes, &update->current_term) ||
      !Take(&bytes, &voted_for_plus_1) ||
      !Take(&bytes, &snapshot.last_included_index) ||
      !Take(&bytes, &snapshot.last_included_term) ||
      !TakeString(&bytes, &snapshot.state) || !Take(&bytes, &update->first) ||
      !Take(&bytes, &entries))
    return false;
  update->voted_for = static_cast<int>(voted_for_plus_1) - 1;
  update->snapshot = nullptr;
  if (snapshot.last_included_index > 0)
    update->snapshot = std::make_shared<const Snapshot>(std::move(snapshot));
  update->entries.clear();
  for (std::uint64_t i = 0; i < entries; ++i) {
    Entry entry;
    entry.index = update->first + i;
    if (!Take(&bytes, &entry.term) || !TakeString(&bytes, &entry.command))
      return false;
    update->entries.push_back(std::move(entry));
  }
  return bytes.empty();
}

}  // namespace raft
