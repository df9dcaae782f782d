#include "examples/raft/testing/sim_disk.h"

namespace raft {

absl::Status SimDisk::Write(const Update& update) {
  written_.push_back(Encode(update));
  return absl::OkStatus();
}

absl::Status SimDisk::Sync() {
  if (world_->Chance(crash_in_sync_))
    return absl::UnavailableError("the server crashes");
  Keep(written_.size());
  return absl::OkStatus();
}

void SimDisk::Crash() { Keep(world_->Below(written_.size() + 1)); }

void SimDisk::Keep(std::size_t updates) {
  for (std::size_t i = 0; i < updates; ++i) {
    Update update;
    if (Decode(written_[i], &update)) Apply(update, &synced_);
  }
  written_.clear();
}

}  // namespace raft
