// The accepted connections, and which of them a secured server keeps.
//
// Holds the key material for new connections and a list of the accepted ones.
// With TLS it bounds the connections that have proven nothing yet, and those of
// each server. A server uses the latest that it dialled; older ones are
// half-open, as after a cut that this side has not seen. So of too many it
// refuses the oldest, without holding its lock. Thread-safe.
//
//   const std::uint64_t ticket = admission.Admit(inbound);
//   if (!admission.Prove(ticket, 2, certificate)) inbound->Close();
//   admission.Ended(ticket);

#ifndef CLUSTER_TRANSPORT_STREAM_ADMISSION_H_
#define CLUSTER_TRANSPORT_STREAM_ADMISSION_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "cluster/base/mutex.h"
#include "cluster/transport/security.h"
#include "cluster/transport/tls_material.h"

namespace cluster::internal {
namespace stream {

// A connection that somebody else dialled.
class AcceptedConnection {
 public:
  virtual ~AcceptedConnection() = default;
  virtual void Refuse(Rejection rejection) = 0;
  // Closes it. When this returns, none of its frames is being delivered.
  virtual void Revoke() = 0;
};

class Admission {
 public:
  static constexpr std::size_t kUnprovenMax = 256;
  static constexpr std::size_t kProvenMax = 4;  // of one server

  // Null: plaintext.
  explicit Admission(std::shared_ptr<const TlsMaterial> material)
      : is_secured_(material != nullptr), material_(std::move(material)) {}

  bool is_secured() const { return is_secured_; }
  std::shared_ptr<const TlsMaterial> material() const {
    MutexLock lock(&mutex_);
    return material_;
  }

  // Adds an accepted connection, and revokes it if Stop was called. Returns its
  // ticket.
  std::uint64_t Admit(const std::shared_ptr<AcceptedConnection>& connection) {
    MutexLock lock(&mutex_);
    const std::uint64_t ticket = ++last_ticket_;
    entries_[ticket].connection = connection;
    const bool is_late = stopped_;
    lock.Unlock();
    if (is_late) connection->Revoke();
    if (is_secured_) {
      RefuseOldest(absl::nullopt, kUnprovenMax,
                   absl::StrCat("more than ", kUnprovenMax,
                                " connections have not proven who they are; "
                                "this one was the oldest"));
    }
    return ticket;
  }

  // The connection has proven to be server `id`. False: it was refused, or the
  // current material does not confirm the proof.
  bool Prove(std::uint64_t ticket, int id, const std::string& certificate) {
    {
      MutexLock lock(&mutex_);
      const auto found = entries_.find(ticket);
      // Refused as one too many, or from before a Reload.
      if (found == entries_.end() || material_->IdOf(certificate) != id) {
        return false;
      }
      found->second.id = id;
      found->second.certificate = certificate;
    }
    RefuseOldest(id, kProvenMax,
                 absl::StrCat("server ", id, " has more than ", kProvenMax,
                              " connections to this one; this was the oldest"));
    return true;
  }

  void Ended(std::uint64_t ticket) {
    MutexLock lock(&mutex_);
    entries_.erase(ticket);
  }

  // New connections use `material`; proven ones that it does not admit are
  // revoked.
  void Reload(std::shared_ptr<const TlsMaterial> material) {
    MutexLock lock(&mutex_);
    material_ = std::move(material);
    std::vector<std::shared_ptr<AcceptedConnection>> revoked;
    for (const auto& [ticket, entry] : entries_) {
      if (!entry.id || material_->IdOf(entry.certificate) == entry.id) continue;
      revoked.push_back(entry.connection.lock());
    }
    lock.Unlock();
    Revoke(revoked);
  }

  // Revokes all connections, and later ones at once.
  void Stop() {
    MutexLock lock(&mutex_);
    stopped_ = true;
    std::vector<std::shared_ptr<AcceptedConnection>> revoked;
    for (const auto& [ticket, entry] : entries_) {
      revoked.push_back(entry.connection.lock());
    }
    lock.Unlock();
    Revoke(revoked);
  }

 private:
  struct Entry {
    std::weak_ptr<AcceptedConnection> connection;
    absl::optional<int> id;
    std::string certificate;
  };

  // Refuses the oldest with this id if there are more than `most`.
  void RefuseOldest(absl::optional<int> id, std::size_t most,
                    std::string reason) {
    MutexLock lock(&mutex_);
    std::size_t count = 0;
    auto oldest = entries_.end();
    for (auto it = entries_.begin(); it != entries_.end(); ++it) {
      if (it->second.id == id && count++ == 0) oldest = it;
    }
    if (count <= most) return;
    const auto connection = oldest->second.connection.lock();
    entries_.erase(oldest);
    lock.Unlock();
    if (connection == nullptr) return;
    connection->Refuse(
        Rejection{RefusalReason::kSilent, id, std::move(reason)});
  }

  static void Revoke(
      const std::vector<std::shared_ptr<AcceptedConnection>>& connections) {
    for (const auto& connection : connections) {
      if (connection != nullptr) connection->Revoke();
    }
  }

  const bool is_secured_;
  mutable Mutex mutex_;
  std::shared_ptr<const TlsMaterial> material_ CLUSTER_GUARDED_BY(mutex_);
  // By ticket, the oldest first.
  std::map<std::uint64_t, Entry> entries_ CLUSTER_GUARDED_BY(mutex_);
  std::uint64_t last_ticket_ CLUSTER_GUARDED_BY(mutex_) = 0;
  bool stopped_ CLUSTER_GUARDED_BY(mutex_) = false;
};

}  // namespace stream
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_STREAM_ADMISSION_H_
