#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/base/open_file.h"
#include "cluster/config.h"
#include "cluster/config/positioned_json.h"

namespace cluster {
namespace {

// A path is shown whole unless it is absurd.
std::string Shown(const std::string& file) {
  constexpr std::size_t kShownBytes = 300;
  return file.size() <= kShownBytes
             ? file
             : absl::StrCat(file.substr(0, kShownBytes), "...");
}

absl::Status SystemError(const std::string& file, int error) {
  const std::string text = absl::StrCat(
      Shown(file), ": cannot read the file: ", std::strerror(error));
  if (error == ENOENT || error == ENOTDIR) return absl::NotFoundError(text);
  return absl::InvalidArgumentError(text);
}

absl::Status TooLarge(const std::string& file) {
  return absl::InvalidArgumentError(absl::StrCat(
      Shown(file), ": found more than ", internal::kConfigFileBytesMax,
      " bytes, want at most so many"));
}

absl::StatusOr<std::string> ReadFile(const std::string& file) {
  if (file.empty() || file.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat(
        "found ", internal::QuotedExcerpt(file), ", want a file's path"));
  }
  // Without O_NONBLOCK the opening of a pipe would wait for its writer.
  const internal::OpenFile open(
      ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (open.fd() < 0) return SystemError(file, errno);
  struct stat info;
  if (::fstat(open.fd(), &info) != 0) return SystemError(file, errno);
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(
        Shown(file), ": found ",
        S_ISDIR(info.st_mode) ? "a directory" : "a device or a pipe",
        ", want a JSON file"));
  }

  std::string text;
  char buffer[16 << 10];
  for (;;) {
    const ssize_t bytes = ::read(open.fd(), buffer, sizeof buffer);
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return SystemError(file, errno);
    if (bytes == 0) return text;
    text.append(buffer, static_cast<std::size_t>(bytes));
    if (text.size() > internal::kConfigFileBytesMax) return TooLarge(file);
  }
}

}  // namespace

absl::StatusOr<Config> LoadConfig(const std::string& file) {
  const absl::StatusOr<std::string> text = ReadFile(file);
  if (!text.ok()) return text.status();
  return ParseConfig(*text, file);
}

}  // namespace cluster
