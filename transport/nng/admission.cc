#include "cluster/transport/nng/admission.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace cluster::internal {
namespace nng {
namespace {

void Refuse(const std::shared_ptr<AcceptedConnection>& connection,
            absl::optional<int> id, std::string reason) {
  if (connection == nullptr) return;
  connection->Refuse(Rejection{RefusalReason::kSilent, id, std::move(reason)});
}

}  // namespace

std::shared_ptr<const stream::TlsMaterial> Admission::material() const {
  MutexLock lock(&mutex_);
  return material_;
}

std::uint64_t Admission::Admit(std::weak_ptr<AcceptedConnection> connection) {
  MutexLock lock(&mutex_);
  const std::uint64_t ticket = ++last_ticket_;
  if (stopped_) {
    lock.Unlock();
    connection.lock()->Revoke();
    return ticket;
  }
  entries_[ticket].connection = std::move(connection);
  if (!is_secured_) return ticket;
  const auto oldest = TakeOldest(absl::nullopt, kUnprovenMax);
  lock.Unlock();
  Refuse(oldest, absl::nullopt,
         absl::StrCat("more than ", kUnprovenMax,
                      " connections have not proven who they are; this one was "
                      "the oldest"));
  return ticket;
}

bool Admission::Prove(std::uint64_t ticket, int id,
                      const std::string& certificate) {
  MutexLock lock(&mutex_);
  const auto found = entries_.find(ticket);
  // A reload since the handshake began, or one connection too many.
  if (found == entries_.end() || material_->IdOf(certificate) != id) {
    return false;
  }
  found->second.id = id;
  found->second.certificate = certificate;
  const auto oldest = TakeOldest(id, kProvenMax);
  lock.Unlock();
  Refuse(oldest, id,
         absl::StrCat("server ", id, " has more than ", kProvenMax,
                      " connections to this one; this was the oldest"));
  return true;
}

std::shared_ptr<AcceptedConnection> Admission::TakeOldest(
    absl::optional<int> id, std::size_t most) {
  std::size_t count = 0;
  auto oldest = entries_.end();
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    if (it->second.id == id && count++ == 0) oldest = it;
  }
  if (count <= most) return nullptr;
  auto connection = oldest->second.connection.lock();
  entries_.erase(oldest);
  return connection;
}

void Admission::Ended(std::uint64_t ticket) {
  MutexLock lock(&mutex_);
  entries_.erase(ticket);
}

void Admission::Reload(std::shared_ptr<const stream::TlsMaterial> material) {
  std::vector<std::shared_ptr<AcceptedConnection>> revoked;
  {
    MutexLock lock(&mutex_);
    material_ = std::move(material);
    for (const auto& [ticket, entry] : entries_) {
      if (!entry.id || material_->IdOf(entry.certificate) == entry.id) continue;
      if (auto connection = entry.connection.lock())
        revoked.push_back(std::move(connection));
    }
  }
  for (const auto& connection : revoked) connection->Revoke();
}

void Admission::Stop() {
  std::map<std::uint64_t, Entry> entries;
  {
    MutexLock lock(&mutex_);
    stopped_ = true;
    std::swap(entries, entries_);
  }
  for (const auto& [ticket, entry] : entries) {
    if (const auto connection = entry.connection.lock()) connection->Revoke();
  }
}

}  // namespace nng
}  // namespace cluster::internal
