#include "cluster/transport/key_files.h"

#include <openssl/crypto.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cluster/transport/private_path.h"

namespace cluster {
namespace {

using internal::KeyFileError;

constexpr std::size_t kClusterBytesMax = 40;

absl::StatusOr<Secret> ReadAll(const std::string& path, int fd) {
  Secret secret(kKeyFileBytesMax + 1);
  std::size_t got = 0;
  while (got < secret.size()) {
    const ssize_t bytes = ::read(fd, secret.data() + got, secret.size() - got);
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return KeyFileError(path, errno);
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
  const auto file = internal::OpenKeyFile(folder, name, is_private);
  if (!file.ok()) return file.status();
  return ReadAll(absl::StrCat(folder, "/", name), (*file)->fd());
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
