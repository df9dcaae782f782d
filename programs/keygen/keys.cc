#include "programs/keygen/keys.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "cluster/transport/key_files.h"
#include "programs/keygen/certificate.h"

namespace cluster {
namespace {

constexpr std::size_t kZ85KeyBytes = 40;
constexpr mode_t kPrivateFolder = 0700;
constexpr mode_t kPublicFolder = 0755;
constexpr mode_t kPrivateFile = 0600;
constexpr mode_t kPublicFile = 0644;

// Keeps private keys out of a repository that the folder is in.
constexpr char kGitIgnore[] = "/*\n!/.gitignore\n!/public/\n";

absl::Status SystemError(absl::string_view what, const std::string& path) {
  return absl::Status(
      errno == EACCES || errno == EPERM ? absl::StatusCode::kPermissionDenied
                                        : absl::StatusCode::kFailedPrecondition,
      absl::StrCat(path, ": cannot ", what, ": ", std::strerror(errno)));
}

absl::Status WriteAll(int fd, absl::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t bytes = write(fd, text.data(), text.size());
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return SystemError("write", path);
    text.remove_prefix(static_cast<std::size_t>(bytes));
  }
  return absl::OkStatus();
}

// Files that appear together: all are written aside, then renamed into place.
// A server may read them at any moment. Without PutInPlace the destructor
// leaves everything as it was.
class NewFiles {
 public:
  ~NewFiles() {
    for (const std::string& path : paths_) unlink(Aside(path).c_str());
    for (auto folder = folders_.rbegin(); folder != folders_.rend(); ++folder)
      rmdir(folder->c_str());
  }

  // An existing folder keeps its files, and gets this mode if it is private.
  absl::Status MakeFolder(const std::string& path, mode_t mode) {
    if (mkdir(path.c_str(), mode) == 0) {
      folders_.push_back(path);
      return absl::OkStatus();
    }
    if (errno != EEXIST) return SystemError("make the folder", path);
    if (mode == kPrivateFolder && chmod(path.c_str(), mode) != 0)
      return SystemError("make the folder private", path);
    return absl::OkStatus();
  }

  // The file's mode is never wider than `mode`.
  absl::Status Write(const std::string& path, absl::string_view text,
                     mode_t mode) {
    const std::string aside = Aside(path);
    unlink(aside.c_str());
    const int fd =
        open(aside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) return SystemError("write", path);
    paths_.push_back(path);
    absl::Status status = WriteAll(fd, text, path);
    if (status.ok() && (fchmod(fd, mode) != 0 || fsync(fd) != 0))
      status = SystemError("write", path);
    close(fd);
    return status;
  }

  absl::Status PutInPlace() {
    folders_.clear();
    absl::Status status;
    for (const std::string& path : paths_) {
      if (rename(Aside(path).c_str(), path.c_str()) != 0)
        status.Update(SystemError("write", path));
    }
    return status;
  }

 private:
  static std::string Aside(const std::string& path) {
    return absl::StrCat(path, ".new");
  }

  std::vector<std::string> paths_;
  std::vector<std::string> folders_;  // that it made
};

std::string OwnFolder(const KeyRequest& request, int id) {
  return absl::StrCat(request.folder, "/", id);
}
std::string PublicFolder(const KeyRequest& request, int id) {
  return absl::StrCat(request.folder, "/public/", id);
}

absl::Status CheckNothingThere(const KeyRequest& request) {
  for (int id : request.server_ids) {
    for (const std::string& folder :
         {OwnFolder(request, id), PublicFolder(request, id)}) {
      for (const char* name :
           {kZmqSecretFile, kZmqPublicFile, kTlsKeyFile, kTlsCertificateFile,
            kOldTlsKeyFile, kOldTlsCertificateFile}) {
        const std::string path = absl::StrCat(folder, "/", name);
        if (access(path.c_str(), F_OK) != 0) continue;
        return absl::AlreadyExistsError(absl::StrCat(
            path,
            ": is there already; a new key would shut out the server "
            "that uses it until all servers have its new public files"));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status WritePublic(const std::string& folder, absl::string_view curve,
                         absl::string_view certificate, NewFiles* files) {
  absl::Status status = files->Write(absl::StrCat(folder, "/", kZmqPublicFile),
                                     curve, kPublicFile);
  status.Update(files->Write(absl::StrCat(folder, "/", kTlsCertificateFile),
                             certificate, kPublicFile));
  return status;
}

absl::Status MakeServerKeys(const KeyRequest& request, int id,
                            NewFiles* files) {
  // Room for libzmq's terminating zero, where the line's end goes.
  Secret curve_secret(kZ85KeyBytes + 1);
  std::string curve_public(kZ85KeyBytes + 1, '\0');
  if (zmq_curve_keypair(&curve_public[0], curve_secret.data()) != 0) {
    return absl::UnimplementedError(
        "libzmq was built without CURVE: no keys for zmq");
  }
  curve_secret.data()[kZ85KeyBytes] = curve_public[kZ85KeyBytes] = '\n';
  absl::StatusOr<KeyAndCertificate> tls =
      MakeCertificate(CertificateName(request.cluster, id),
                      request.starts_days_ago, request.validity_days);
  if (!tls.ok()) return tls.status();

  const std::string own = OwnFolder(request, id);
  const std::string shared = PublicFolder(request, id);
  absl::Status status = files->MakeFolder(own, kPrivateFolder);
  if (status.ok()) status = files->MakeFolder(shared, kPublicFolder);
  if (!status.ok()) return status;
  status.Update(files->Write(absl::StrCat(own, "/", kZmqSecretFile),
                             curve_secret.text(), kPrivateFile));
  status.Update(files->Write(absl::StrCat(own, "/", kTlsKeyFile),
                             tls->key.text(), kPrivateFile));
  status.Update(WritePublic(own, curve_public, tls->certificate, files));
  status.Update(WritePublic(shared, curve_public, tls->certificate, files));
  return status;
}

// Servers ignore the old names once the new files exist.
void RemoveOldNames(const KeyRequest& request, int id) {
  const std::string own = OwnFolder(request, id);
  const std::string shared = PublicFolder(request, id);
  unlink(absl::StrCat(own, "/", kOldTlsKeyFile).c_str());
  unlink(absl::StrCat(own, "/", kOldTlsCertificateFile).c_str());
  unlink(absl::StrCat(shared, "/", kOldTlsCertificateFile).c_str());
}

absl::Status WriteAside(const KeyRequest& request, NewFiles* files) {
  absl::Status status = files->MakeFolder(request.folder, kPublicFolder);
  if (status.ok()) {
    status = files->MakeFolder(absl::StrCat(request.folder, "/public"),
                               kPublicFolder);
  }
  if (status.ok()) {
    status = files->Write(absl::StrCat(request.folder, "/.gitignore"),
                          kGitIgnore, kPublicFile);
  }
  for (int id : request.server_ids) {
    if (status.ok()) status = MakeServerKeys(request, id, files);
  }
  return status;
}

}  // namespace

absl::Status MakeKeys(const KeyRequest& request) {
  absl::Status status =
      request.replace ? absl::OkStatus() : CheckNothingThere(request);
  if (!status.ok()) return status;
  NewFiles files;
  status = WriteAside(request, &files);
  if (!status.ok()) {
    return absl::Status(status.code(),
                        absl::StrCat(status.message(), "; no key was changed"));
  }
  status = files.PutInPlace();
  for (int id : request.server_ids)
    if (status.ok()) RemoveOldNames(request, id);
  return status;
}

}  // namespace cluster
