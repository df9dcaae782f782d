// SecretVolume: a folder of files as Kubernetes mounts a secret.
//
// The folder is everybody's to write, and sticky. Each version of the files is in
// a folder of its own, behind the link `..data`. An update replaces that link by
// a rename, so a reader sees all of a version or nothing. The files are readable
// for their group if the process is root's, as with an fsGroup. A name may have a
// folder, as an item's path may. Errors abort.
//
//   SecretVolume volume("/tmp/x/keys");
//   volume.Update({{"tls.key", key}, {"2/tls.crt", certificate}});

#ifndef CLUSTER_TRANSPORT_TESTING_SECRET_VOLUME_H_
#define CLUSTER_TRANSPORT_TESTING_SECRET_VOLUME_H_

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/base/check.h"

namespace cluster::internal {

class SecretVolume {
 public:
  // Makes the folder.
  explicit SecretVolume(std::string folder) : folder_(std::move(folder)) {
    std::filesystem::create_directories(folder_);
    SetMode(folder_, is_root() ? 01777 : 0700);
  }

  const std::string& folder() const { return folder_; }

  void Update(const std::map<std::string, std::string>& files) {
    namespace fs = std::filesystem;
    const std::string before = version_ == 0 ? "" : VersionFolder();
    ++version_;
    const fs::path version = VersionFolder();
    fs::create_directory(version);
    for (const auto& [name, text] : files) {
      const std::string path = version / name;
      fs::create_directories(fs::path(path).parent_path());
      std::ofstream(path, std::ios::binary) << text;
      SetMode(path, is_root() ? 0440 : 0400);
    }
    const fs::path data = fs::path(folder_) / "..data";
    const fs::path fresh = fs::path(folder_) / "..data_tmp";
    fs::create_directory_symlink(version.filename(), fresh);
    fs::rename(fresh, data);
    for (const auto& [name, text] : files) {
      const fs::path top = *fs::path(name).begin();
      const fs::path link = fs::path(folder_) / top;
      if (!fs::is_symlink(link))
        fs::create_symlink(fs::path("..data") / top, link);
    }
    if (!before.empty()) fs::remove_all(before);
  }

  // With the files of another folder and its subfolders.
  void UpdateFrom(const std::string& folder) {
    std::map<std::string, std::string> files;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(folder)) {
      if (!entry.is_regular_file()) continue;
      std::ostringstream text;
      text << std::ifstream(entry.path(), std::ios::binary).rdbuf();
      files[entry.path().lexically_relative(folder)] = text.str();
    }
    Update(files);
  }

 private:
  static bool is_root() { return geteuid() == 0; }
  static void SetMode(const std::string& path, mode_t mode) {
    CLUSTER_CHECK(chmod(path.c_str(), mode) == 0, path.c_str());
  }
  std::string VersionFolder() const {
    return absl::StrCat(folder_, "/..2026_11_30.", version_);
  }

  const std::string folder_;
  int version_ = 0;
};

}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_TESTING_SECRET_VOLUME_H_
