#include "examples/raft/file_disk.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "examples/raft/coding.h"
#include "isa-l/crc.h"

namespace raft {
namespace {

constexpr char kJournal[] = "journal";
constexpr char kNewJournal[] = "journal.new";
// The length and the checksum.
constexpr std::size_t kHeaderBytes = 2 * kNumberBytes;

absl::Status SystemError(const std::string& path) {
  return absl::ErrnoToStatus(errno, path);
}

std::uint64_t Checksum(absl::string_view bytes) {
  auto* const data =
      reinterpret_cast<unsigned char*>(const_cast<char*>(bytes.data()));
  return crc32_iscsi(data, static_cast<int>(bytes.size()), 0xffffffff);
}

std::string Record(const Update& update) {
  const std::string bytes = Encode(update);
  std::string record;
  Put(bytes.size(), &record);
  Put(Checksum(bytes), &record);
  return absl::StrCat(record, bytes);
}

absl::Status WriteAll(int file, absl::string_view bytes,
                      const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return SystemError(path);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status ReadAll(int file, const std::string& path, std::string* bytes) {
  char buffer[1 << 16];
  while (true) {
    const ssize_t read = ::read(file, buffer, sizeof(buffer));
    if (read == 0) return absl::OkStatus();
    if (read < 0 && errno == EINTR) continue;
    if (read < 0) return SystemError(path);
    bytes->append(buffer, static_cast<std::size_t>(read));
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<FileDisk>> FileDisk::Open(
    const std::string& folder, Durability durability, Persistent* persistent) {
  std::unique_ptr<FileDisk> disk(new FileDisk(folder, durability));
  absl::Status status = disk->OpenFolder();
  if (status.ok()) status = disk->ReadJournal(persistent);
  if (!status.ok()) return status;
  return disk;
}

FileDisk::~FileDisk() {
  if (journal_ >= 0) ::close(journal_);
  if (folder_descriptor_ >= 0) ::close(folder_descriptor_);
}

absl::Status FileDisk::OpenFolder() {
  if (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST)
    return SystemError(folder_);
  folder_descriptor_ =
      ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_descriptor_ < 0) return SystemError(folder_);
  if (::flock(folder_descriptor_, LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(folder_, ": another process has it"));
  }
  return absl::OkStatus();
}

absl::Status FileDisk::ReadJournal(Persistent* persistent) {
  const std::string path = absl::StrCat(folder_, "/", kJournal);
  journal_ =
      ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (journal_ < 0 || ::fsync(folder_descriptor_) != 0)
    return SystemError(path);
  std::string bytes;
  absl::Status status = ReadAll(journal_, path, &bytes);
  if (!status.ok()) return status;

  absl::string_view left = bytes;
  while (!left.empty()) {
    absl::string_view record = left;
    std::uint64_t size = 0;
    std::uint64_t checksum = 0;
    Update update;
    const bool whole = Take(&record, &size) && Take(&record, &checksum) &&
                       size <= record.size();
    if (!whole || Checksum(record.substr(0, size)) != checksum ||
        !Decode(record.substr(0, size), &update)) {
      // A crash in a Write leaves a part of the record, or zeros.
      const bool last = !whole || size == record.size() ||
                        left.find_first_not_of('\0') == absl::string_view::npos;
      if (last) break;
      return absl::DataLossError(
          absl::StrCat(path, ": damaged at byte ", bytes.size() - left.size(),
                       "; restore the folder, or start this server with a new "
                       "id"));
    }
    Apply(update, persistent);
    left.remove_prefix(kHeaderBytes + size);
  }
  if (left.empty()) return absl::OkStatus();
  const auto end = static_cast<off_t>(bytes.size() - left.size());
  if (::ftruncate(journal_, end) != 0) return SystemError(path);
  return Sync();
}

absl::Status FileDisk::Write(const Update& update) {
  const std::string record = Record(update);
  // It replaces all earlier ones.
  if (update.snapshot != nullptr) return Replace(record);
  return WriteAll(journal_, record, absl::StrCat(folder_, "/", kJournal));
}

absl::Status FileDisk::Sync() {
  if (durability_ == kNoSync || ::fdatasync(journal_) == 0)
    return absl::OkStatus();
  return SystemError(absl::StrCat(folder_, "/", kJournal));
}

// A crash leaves the old journal or the new one.
absl::Status FileDisk::Replace(absl::string_view record) {
  const std::string path = absl::StrCat(folder_, "/", kNewJournal);
  const int file = ::open(
      path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) return SystemError(path);
  ::close(std::exchange(journal_, file));
  if (absl::Status status = WriteAll(file, record, path); !status.ok())
    return status;
  if (absl::Status status = Sync(); !status.ok()) return status;
  if (::renameat(folder_descriptor_, kNewJournal, folder_descriptor_,
                 kJournal) != 0 ||
      ::fsync(folder_descriptor_) != 0)
    return SystemError(path);
  return absl::OkStatus();
}

}  // namespace raft
