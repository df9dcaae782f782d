// CurveKeys: the CURVE keys of one server and of its peers.
//
// An immutable value with the checked content of the key files; a reload makes
// another one. A peer may have several public keys, a line each, while it changes
// from one to the next. Each pair of a peer and a public key has a serial number,
// which authenticated connections carry (UserId). So a connection made with a
// former key of a peer is recognised. libzmq does the cryptography.
//
// CurveKeyRing holds the keys in force; it is thread-safe. Errors are those of
// key_files.h, and kInvalidArgument for a malformed key. No text holds a byte
// of a key.
//
//   absl::StatusOr<std::shared_ptr<const CurveKeys>> keys =
//       LoadCurveKeys(files, nullptr);
//   const CurvePeer* peer = (*keys)->FindKey(credentials);

#ifndef CLUSTER_TRANSPORT_ZMQ_CURVE_KEYS_H_
#define CLUSTER_TRANSPORT_ZMQ_CURVE_KEYS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "cluster/base/mutex.h"
#include "cluster/transport/key_files.h"
#include "cluster/transport/security.h"

namespace cluster::internal {
namespace zmq_backend {

using CurveKey = std::array<std::uint8_t, 32>;

// Parses a key file's text: 40 characters of Z85, and perhaps a line's end.
// Returns no key for anything else.
absl::optional<CurveKey> ParseCurveKey(absl::string_view text);

struct CurvePeer {
  int id = 0;
  std::uint64_t serial = 0;
  CurveKey key{};
};

// The label of an authenticated connection's messages: "<id>.<serial>".
struct UserId {
  int peer = 0;
  std::uint64_t serial = 0;
};
std::string ToString(const UserId& user);
absl::optional<UserId> ParseUserId(absl::string_view text);

class CurveKeys {
 public:
  // `own_secret` is Z85 text.
  CurveKeys(Secret own_secret, const CurveKey& own_public)
      : own_secret_(std::move(own_secret)), own_public_(own_public) {}

  const Secret& own_secret() const { return own_secret_; }
  const CurveKey& own_public() const { return own_public_; }

  // Null if no peer matches. A dialler tries the keys of a peer in turn: `turn`
  // counts its changes.
  const CurvePeer* FindPeer(int id, std::size_t turn = 0) const;
  const CurvePeer* FindKey(const CurveKey& key) const;
  // Whether a connection that was let in as `user` still is who it was.
  bool IsCurrent(const UserId& user) const;

 private:
  friend absl::StatusOr<std::shared_ptr<const CurveKeys>> LoadCurveKeys(
      const SecurityFiles& files, const CurveKeys* before);

  absl::Status AddKey(int id, const CurveKey& key, const CurveKeys* before);

  const Secret own_secret_;
  const CurveKey own_public_;
  std::map<int, std::vector<CurvePeer>> peers_;  // in the order of the file
  std::map<CurveKey, int> ids_;
  std::uint64_t next_serial_ = 1;
};

// Reads the files. A peer with the same key in `before` (which may be null)
// keeps its serial number; any other gets a fresh one.
absl::StatusOr<std::shared_ptr<const CurveKeys>> LoadCurveKeys(
    const SecurityFiles& files, const CurveKeys* before);

// The keys in force.
class CurveKeyRing {
 public:
  explicit CurveKeyRing(std::shared_ptr<const CurveKeys> keys)
      : keys_(std::move(keys)) {}

  std::shared_ptr<const CurveKeys> Get() const {
    MutexLock lock(&mutex_);
    return keys_;
  }
  void Set(std::shared_ptr<const CurveKeys> keys) {
    MutexLock lock(&mutex_);
    keys_.swap(keys);
  }

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const CurveKeys> keys_ CLUSTER_GUARDED_BY(mutex_);
};

}  // namespace zmq_backend
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_ZMQ_CURVE_KEYS_H_
