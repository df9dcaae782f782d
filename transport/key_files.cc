#include "cluster/transport/key_files.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cluster/base/open_file.h"

namespace cluster {
namespace {

constexpr mode_t kOthers = S_IRWXG | S_IRWXO;
constexpr std::size_t kClusterBytesMax = 40;

absl::Status SystemError(const std::string& path, int error) {
  const std::string text =
      absl::StrCat(path, ": cannot read the key file: ", strerror(error));
  switch (error) {
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

absl::Status CheckPrivate(const std::string& path, const struct stat& info,
                          absl::string_view chmod) {
  if ((info.st_mode & kOthers) == 0) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat(
      path,
      ": others than its owner may use it, and it is to be private; run: "
      "chmod ",
      chmod, " ", path));
}

absl::Status CheckFolder(const std::string& folder) {
  struct stat info;
  if (::stat(folder.c_str(), &info) != 0) return SystemError(folder, errno);
  if (!S_ISDIR(info.st_mode))
    return absl::InvalidArgumentError(absl::StrCat(folder, ": no folder"));
  return CheckPrivate(folder, info, "700");
}

absl::StatusOr<Secret> ReadAll(const std::string& path, int fd) {
  Secret secret(kKeyFileBytesMax + 1);
  std::size_t got = 0;
  while (got < secret.size()) {
    const ssize_t bytes = ::read(fd, secret.data() + got, secret.size() - got);
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return SystemError(path, errno);
    if (bytes == 0) break;
    got += static_cast<std::size_t>(bytes);
  }
  if (got > kKeyFileBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": more than ", kKeyFileBytesMax,
                     " bytes, which is no key file"));
  }
  secret.Truncate(got);
  return secret;
}

absl::StatusOr<Secret> ReadKeyFile(const std::string& folder,
                                   absl::string_view name, bool is_private) {
  const std::string path = absl::StrCat(folder, "/", name);
  if (is_private) {
    absl::Status status = CheckFolder(folder);
    if (!status.ok()) return status;
  }
  // Without O_NONBLOCK the opening of a pipe would wait for its writer.
  const internal::OpenFile file(
      ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.fd() < 0) return SystemError(path, errno);
  struct stat info;
  if (::fstat(file.fd(), &info) != 0) return SystemError(path, errno);
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": no regular file, want a key file"));
  }
  if (is_private) {
    absl::Status status = CheckPrivate(path, info, "600");
    if (!status.ok()) return status;
  }
  return ReadAll(path, file.fd());
}

}  // namespace

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this == &other) return *this;
  Wipe();
  // A short string is moved by copying it, so what is left is wiped too.
  bytes_ = std::move(other.bytes_);
  other.Wipe();
  return *this;
}

// The capacity too: it holds what was truncated or moved.
void Secret::Wipe() {
  bytes_.resize(bytes_.capacity());
  OPENSSL_cleanse(&bytes_[0], bytes_.size());
  bytes_.clear();
}

void Secret::Truncate(std::size_t bytes) {
  OPENSSL_cleanse(&bytes_[bytes], bytes_.size() - bytes);
  bytes_.resize(bytes);
}

absl::StatusOr<Secret> ReadPrivateFile(const std::string& folder,
                                       absl::string_view name) {
  return ReadKeyFile(folder, name, true);
}

absl::StatusOr<std::string> ReadPublicFile(const std::string& folder,
                                           absl::string_view name) {
  absl::StatusOr<Secret> file = ReadKeyFile(folder, name, false);
  if (!file.ok()) return file.status();
  return std::string(file->text());
}

std::string CertificateName(absl::string_view cluster, int server_id) {
  std::string label;
  for (char c : cluster.substr(0, kClusterBytesMax))
    label.push_back(absl::ascii_isalnum(static_cast<unsigned char>(c))
                        ? absl::ascii_tolower(static_cast<unsigned char>(c))
                        : '-');
  return absl::StrCat("server-", server_id, ".", label);
}

}  // namespace cluster
