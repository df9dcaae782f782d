// FileDisk: a journal in a folder.
//
// Each update is one record with a checksum. A crash may tear the last record,
// which then counts as never written. An update with a snapshot begins a new file,
// so the journal stays short. One process at a time has a folder. Errors are those
// of the system, with the file's name; kDataLoss: the journal is damaged.
//
//   Persistent persistent;
//   auto disk = FileDisk::Open("/var/lib/raft/1", FileDisk::kSync, &persistent);

#ifndef EXAMPLES_RAFT_FILE_DISK_H_
#define EXAMPLES_RAFT_FILE_DISK_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "examples/raft/disk.h"

namespace raft {

class FileDisk final : public Disk {
 public:
  enum Durability {
    kSync,
    kNoSync,  // for measurements: a crash of the machine loses entries
  };

  // Makes the folder if it does not exist; the folder above must.
  static absl::StatusOr<std::unique_ptr<FileDisk>> Open(
      const std::string& folder, Durability durability, Persistent* persistent);
  ~FileDisk() override;
  FileDisk(const FileDisk&) = delete;
  FileDisk& operator=(const FileDisk&) = delete;

  absl::Status Write(const Update& update) override;
  absl::Status Sync() override;

 private:
  FileDisk(const std::string& folder, Durability durability)
      : folder_(folder), durability_(durability) {}

  absl::Status OpenFolder();
  absl::Status ReadJournal(Persistent* persistent);
  absl::Status Replace(absl::string_view record);

  const std::string folder_;
  const Durability durability_;
  int folder_descriptor_ = -1;
  int journal_ = -1;
};

}  // namespace raft

#endif  // EXAMPLES_RAFT_FILE_DISK_H_
