// Reads key files and names them.
//
// It reads small files out of the folders of SecurityFiles, whatever they
// contain. tools/keygen and the backends share the names. It refuses private files
// that somebody else than root and the user of the process could read or replace
// (docs/security.md has the modes). Secret wipes its bytes when it goes.
//
// The functions are stateless; a Secret belongs to one thread at a time.
// kNotFound, kInvalidArgument, or kPermissionDenied with the owner, the mode and
// the command to run. No text holds a byte of a file.
//
//   absl::StatusOr<Secret> secret = ReadPrivateFile("keys/1", kZmqSecretFile);
//   if (secret.ok()) Use(secret->text());

#ifndef CLUSTER_TRANSPORT_KEY_FILES_H_
#define CLUSTER_TRANSPORT_KEY_FILES_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cluster {

inline constexpr char kZmqSecretFile[] = "zmq.secret";
inline constexpr char kZmqPublicFile[] = "zmq.public";
inline constexpr char kTlsKeyFile[] = "tls.key";
inline constexpr char kTlsCertificateFile[] = "tls.crt";
// Earlier names of these two, read in a folder without a "tls.crt".
inline constexpr char kOldTlsKeyFile[] = "nng.key";
inline constexpr char kOldTlsCertificateFile[] = "nng.crt";

inline constexpr std::size_t kKeyFileBytesMax = 64u << 10;

// Bytes that are wiped when they are no longer held, and that nothing prints.
class Secret {
 public:
  Secret() = default;
  // Of `bytes` zero bytes, to be filled in through data().
  explicit Secret(std::size_t bytes) : bytes_(bytes, '\0') {}
  Secret(Secret&& other) noexcept { *this = std::move(other); }
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() { Wipe(); }

  char* data() { return &bytes_[0]; }
  std::size_t size() const { return bytes_.size(); }
  absl::string_view text() const { return bytes_; }
  const char* c_str() const { return bytes_.c_str(); }

  // Keeps the first `bytes`, at most size(), and wipes the rest.
  void Truncate(std::size_t bytes);

 private:
  void Wipe();

  std::string bytes_;
};

absl::StatusOr<Secret> ReadPrivateFile(const std::string& folder,
                                       absl::string_view name);
absl::StatusOr<std::string> ReadPublicFile(const std::string& folder,
                                           absl::string_view name);

// The name in a server's certificate: "server-1.demo". Of the cluster's name it
// takes what a host's name may hold, and at most 40 bytes.
std::string CertificateName(absl::string_view cluster, int server_id);

}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_KEY_FILES_H_
