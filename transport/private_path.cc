#include "cluster/transport/private_path.h"

#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace cluster::internal {
namespace {

constexpr mode_t kOthers = S_IRWXG | S_IRWXO;
constexpr mode_t kOthersWrite = S_IWGRP | S_IWOTH;
constexpr int kLinksMax = 40;  // as Linux has it

bool IsTrusted(uid_t owner, uid_t user) { return owner == 0 || owner == user; }

// "alice (1000)", or "1000" for a user without a name.
std::string UserText(uid_t user) {
  char buffer[4096];
  passwd entry;
  passwd* found = nullptr;
  if (getpwuid_r(user, &entry, buffer, sizeof(buffer), &found) != 0 ||
      found == nullptr) {
    return absl::StrCat(user);
  }
  return absl::StrCat(found->pw_name, " (", user, ")");
}

std::string Fault(const std::string& path, const struct stat& info,
                  absl::string_view wrong, absl::string_view command) {
  return absl::StrFormat("%s: owner %s, mode %04o: %s; run: %s %s", path,
                         UserText(info.st_uid), info.st_mode & 07777, wrong,
                         command, path);
}

// `refused`: the bits of its mode that it must not have.
std::string PrivacyFault(const std::string& path, const struct stat& info,
                         uid_t user, mode_t refused,
                         absl::string_view command) {
  if (!IsTrusted(info.st_uid, user)) {
    return Fault(path, info,
                 absl::StrCat("it is another user's, and private files belong "
                              "to root or to the user of the process, ",
                              UserText(user)),
                 absl::StrCat("chown ", user));
  }
  if ((info.st_mode & refused) == 0) return "";
  return Fault(path, info, "others may use it, and it is to be private",
               command);
}

// The way to one file.
class Walk {
 public:
  Walk(std::string path, uid_t user) : path_(std::move(path)), user_(user) {}

  // Opens the file, of whatever type.
  absl::Status Run() {
    std::error_code error;
    const std::string absolute = std::filesystem::absolute(path_, error);
    int failure = error ? error.value() : Push(absolute);
    while (failure == 0 && !steps_.empty()) {
      const std::string step = std::move(steps_.back());
      steps_.pop_back();
      failure = Take(step);
    }
    if (failure == 0) return absl::OkStatus();
    return denied_.empty() ? KeyFileError(path_, failure)
                           : absl::PermissionDeniedError(denied_);
  }

  const struct stat& info() const { return info_; }
  std::unique_ptr<OpenFile> TakeFile() { return std::move(file_); }
  // The fault of a way that has a link.
  std::string LinkFault() const {
    return links_ == 0 || fault_.empty()
               ? ""
               : absl::StrCat(path_, ": the way to it has a link and ", fault_,
                              ", or give a path without links");
  }

 private:
  // Each returns 0 or an errno value.

  // Puts the steps of a path before those that are left.
  int Push(absl::string_view path) {
    const std::vector<std::string> steps =
        absl::StrSplit(path, '/', absl::SkipEmpty());
    steps_.insert(steps_.end(), steps.rbegin(), steps.rend());
    return path[0] == '/' ? Enter(open("/", O_PATH | O_CLOEXEC), "") : 0;
  }

  int Enter(int fd, std::string path) {
    auto opened = std::make_unique<OpenFile>(fd);
    if (fd < 0 || fstat(fd, &info_) != 0) return errno;
    file_ = std::move(opened);
    file_path_ = std::move(path);
    return 0;
  }

  int Take(const std::string& step) {
    const int folder = file_->fd();
    const bool fixed = step == "." || step == "..";  // nobody can replace it
    std::string path = file_path_;
    if (!fixed) absl::StrAppend(&path, "/", step);
    if (step == "..") path.resize(path.empty() ? 0 : path.rfind('/'));
    struct stat found;
    if (fstatat(folder, step.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0)
      return Failure(file_path_, info_);
    if (fault_.empty() && !fixed) {
      fault_ = EntryFault(file_path_.empty() ? "/" : file_path_, info_, path,
                          found, user_);
    }
    if (S_ISLNK(found.st_mode)) return Follow(step);
    // Without O_NONBLOCK the opening of a pipe would wait for its writer.
    const int flags = steps_.empty() ? O_RDONLY | O_NONBLOCK | O_NOCTTY
                                     : O_PATH | O_DIRECTORY;
    const int fd = openat(folder, step.c_str(), flags | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? Failure(path, found) : Enter(fd, path);
  }

  // Of a call for something at `path`.
  int Failure(const std::string& path, const struct stat& info) {
    const int failure = errno;
    if (failure == EACCES) {
      denied_ = Fault(path, info,
                      absl::StrCat("the user of the process, ", UserText(user_),
                                   ", may not use it"),
                      absl::StrCat("chown ", user_));
    }
    return failure;
  }

  int Follow(const std::string& step) {
    if (++links_ > kLinksMax) return ELOOP;
    char target[PATH_MAX];
    const ssize_t bytes =
        readlinkat(file_->fd(), step.c_str(), target, sizeof(target));
    if (bytes <= 0) return bytes < 0 ? errno : ENOENT;
    return Push(absl::string_view(target, static_cast<std::size_t>(bytes)));
  }

  const std::string path_;
  const uid_t user_;
  std::vector<std::string> steps_;  // that are left, the next one last
  // The folder of the next step, and at the end the file.
  std::unique_ptr<OpenFile> file_;
  std::string file_path_;  // "" is the root
  struct stat info_ {};
  int links_ = 0;
  std::string fault_;   // the first step that is not safe
  std::string denied_;  // why the user may go no further
};

}  // namespace

absl::StatusOr<std::unique_ptr<OpenFile>> OpenKeyFile(const std::string& folder,
                                                      absl::string_view name,
                                                      bool is_private) {
  const std::string path = absl::StrCat(folder, "/", name);
  const uid_t user = geteuid();
  struct stat folder_info;
  if (::stat(folder.c_str(), &folder_info) != 0)
    return KeyFileError(path, errno);
  if (!S_ISDIR(folder_info.st_mode))
    return absl::InvalidArgumentError(absl::StrCat(folder, ": no folder"));
  std::string fault = is_private ? PrivateFolderFault(folder, folder_info, user)
                                 : PublicFault(folder, folder_info);
  if (!fault.empty()) return absl::PermissionDeniedError(fault);
  Walk walk(path, user);
  if (absl::Status status = walk.Run(); !status.ok()) return status;
  if (!S_ISREG(walk.info().st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": no regular file, want a key file"));
  }
  fault = is_private ? PrivateFileFault(path, walk.info(), user)
                     : PublicFault(path, walk.info());
  if (fault.empty() && is_private) fault = walk.LinkFault();
  if (!fault.empty()) return absl::PermissionDeniedError(fault);
  return walk.TakeFile();
}

absl::Status KeyFileError(const std::string& path, int errno_value) {
  const std::string text =
      absl::StrCat(path, ": cannot read the key file: ", strerror(errno_value));
  switch (errno_value) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(text);
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(text);
    default:
      return absl::InvalidArgumentError(text);
  }
}

std::string PrivateFileFault(const std::string& path, const struct stat& info,
                             uid_t user) {
  const mode_t refused = info.st_uid == 0 ? kOthers & ~S_IRGRP : kOthers;
  return PrivacyFault(path, info, user, refused, "chmod 600");
}

std::string PrivateFolderFault(const std::string& path, const struct stat& info,
                               uid_t user) {
  mode_t refused = kOthers;
  if (info.st_uid == 0)
    refused = (info.st_mode & S_ISVTX) != 0 ? 0 : kOthersWrite;
  return PrivacyFault(path, info, user, refused, "chmod 700");
}

std::string PublicFault(const std::string& path, const struct stat& info) {
  const bool sticky = S_ISDIR(info.st_mode) && (info.st_mode & S_ISVTX) != 0;
  if ((info.st_mode & S_IWOTH) == 0 || sticky) return "";
  return Fault(path, info, "everybody may write it, so anyone can be let in",
               "chmod o-w");
}

std::string EntryFault(const std::string& folder,
                       const struct stat& folder_info, const std::string& entry,
                       const struct stat& entry_info, uid_t user) {
  if (!IsTrusted(folder_info.st_uid, user)) {
    return Fault(folder, folder_info, "its owner can replace what is in it",
                 absl::StrCat("chown ", user));
  }
  if ((folder_info.st_mode & kOthersWrite) == 0) return "";
  if ((folder_info.st_mode & S_ISVTX) == 0) {
    return Fault(folder, folder_info, "others can replace what is in it",
                 "chmod go-w");
  }
  if (IsTrusted(entry_info.st_uid, user)) return "";
  return Fault(entry, entry_info, "its owner can replace it",
               absl::StrCat("chown -h ", user));
}

}  // namespace cluster::internal
