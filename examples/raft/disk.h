// Disk: the stable storage of one server, as a journal of its changes.
//
// A server that starts reads all changes, in order, and has the state that it had
// at its last Sync, or a later one. One thread at a time. An error is final: the
// server must end, since it cannot know what is stored.
//
//   status = disk->Write(update);
//   if (status.ok()) status = disk->Sync();  // only then answer

#ifndef EXAMPLES_RAFT_DISK_H_
#define EXAMPLES_RAFT_DISK_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "examples/raft/log.h"

namespace raft {

inline constexpr int kNobody = -1;

// The state machine after the entry at last_included_index (section 7).
struct Snapshot {
  Index last_included_index = 0;
  Term last_included_term = 0;
  std::string state;
};

// Figure 2, "persistent state on all servers", and the snapshot.
struct Persistent {
  Term current_term = 0;
  int voted_for = kNobody;
  std::shared_ptr<const Snapshot> snapshot;  // null: none yet
  Log log;
};

// A change of it. The log keeps its entries below `first`, and goes on with
// `entries`. One with a snapshot has all that is behind the snapshot, so it
// replaces all earlier ones.
struct Update {
  Term current_term = 0;
  int voted_for = kNobody;
  std::shared_ptr<const Snapshot> snapshot;
  Index first = 0;
  std::vector<Entry> entries;
};

void Apply(const Update& update, Persistent* persistent);

// The form on the disk. False: these bytes are not an update.
std::string Encode(const Update& update);
bool Decode(absl::string_view bytes, Update* update);

class Disk {
 public:
  virtual ~Disk() = default;
  virtual absl::Status Write(const Update& update) = 0;
  // Returns when all that was written is on stable storage.
  virtual absl::Status Sync() = 0;
};

}  // namespace raft

#endif  // EXAMPLES_RAFT_DISK_H_
