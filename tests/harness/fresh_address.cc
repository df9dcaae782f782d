#include "tests/harness/fresh_address.h"

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "cluster/base/check.h"

namespace cluster::internal {
namespace {

// Bazel's folder is often too deep for the 107 bytes of a socket's name.
constexpr std::size_t kFolderBytesMax = 80;

class Folder {
 public:
  Folder() {
    const char* const given = std::getenv("TEST_TMPDIR");
    path_ = absl::StrCat(given == nullptr ? "/tmp" : given, "/cXXXXXX");
    if (path_.size() > kFolderBytesMax) path_ = "/tmp/cXXXXXX";
    CLUSTER_CHECK(mkdtemp(&path_[0]) != nullptr, path_.c_str());
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace

const std::string& ScratchFolder() {
  static const Folder folder;
  return folder.path();
}

std::string AddressKindName(AddressKind kind) {
  switch (kind) {
    case AddressKind::kIpv4:
      return "Ipv4";
    case AddressKind::kIpv6:
      return "Ipv6";
    case AddressKind::kIpc:
      return "Ipc";
  }
  return "";
}

std::string FreshAddress(AddressKind kind) {
  static std::atomic<int> paths{0};
  std::random_device random;
  switch (kind) {
    case AddressKind::kIpv4:
      return absl::StrCat("127.", 1 + random() % 254, ".", random() % 256, ".",
                          1 + random() % 254, ":0");
    case AddressKind::kIpv6:
      return "[::1]:0";
    case AddressKind::kIpc:
      return absl::StrCat("ipc://", ScratchFolder(), "/", ++paths);
  }
  return "";
}

}  // namespace cluster::internal
