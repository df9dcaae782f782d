// Opens key files, and refuses those that somebody else could read or replace.
//
// Trusted are root and the user of the process. The way to a file is walked a
// step at a time, and each step opens what it looked at. So a change in between
// is an error, and no way around a check. The rules are pure functions; they
// answer "" or what is wrong, with owner, mode and the command to run.
//
//   auto file = OpenKeyFile("keys/1", "tls.key", /*is_private=*/true);
//   if (file.ok()) Read((*file)->fd());

#ifndef CLUSTER_TRANSPORT_PRIVATE_PATH_H_
#define CLUSTER_TRANSPORT_PRIVATE_PATH_H_

#include <sys/stat.h>
#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cluster/base/open_file.h"

namespace cluster::internal {

// Opens a regular file for reading. kNotFound, kInvalidArgument, or
// kPermissionDenied.
absl::StatusOr<std::unique_ptr<OpenFile>> OpenKeyFile(const std::string& folder,
                                                      absl::string_view name,
                                                      bool is_private);

// The error of a system call for a key file, with the code that fits.
absl::Status KeyFileError(const std::string& path, int errno_value);

// A private file belongs to root or to `user`, and nobody else may use it. But
// one of root's may be readable for its group: so Kubernetes gives it to a user.
std::string PrivateFileFault(const std::string& path, const struct stat& info,
                             uid_t user);
// A private folder does too. In one of root's only the entries have to stay.
std::string PrivateFolderFault(const std::string& path, const struct stat& info,
                               uid_t user);
// A public file or folder must not be everybody's to write.
std::string PublicFault(const std::string& path, const struct stat& info);
// Nobody else than the trusted may be able to replace an entry of a folder.
std::string EntryFault(const std::string& folder,
                       const struct stat& folder_info, const std::string& entry,
                       const struct stat& entry_info, uid_t user);

}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_PRIVATE_PATH_H_
