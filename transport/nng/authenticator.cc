#include "transport/nng/authenticator.h"

#include <sys/random.h>

#include <cerrno>
#include <utility>

#include "transport/check.h"

namespace cluster {
namespace nng {
namespace {

void FillRandom(char* bytes, std::size_t count) {
  while (count > 0) {
    const ssize_t got = getrandom(bytes, count, 0);
    CLUSTER_CHECK(got > 0 || errno == EINTR, "the system has no random bytes");
    if (got < 0) continue;
    bytes += got;
    count -= static_cast<std::size_t>(got);
  }
}

}  // namespace

Authenticator::Authenticator(int own_id,
                             std::shared_ptr<const TlsMaterial> material,
                             FindDialled find_dialled)
    : find_dialled_(std::move(find_dialled)),
      material_(std::move(material)),
      proof_(own_id, FillRandom) {
  proof_.SetPeers(material_->Peers());
}

std::shared_ptr<const TlsMaterial> Authenticator::material() const {
  Lock lock(mutex_);
  return material_;
}

std::uint64_t Authenticator::generation() const {
  Lock lock(mutex_);
  return generation_;
}

absl::optional<InboundId> Authenticator::Admit(
    std::uint64_t generation, const std::shared_ptr<AcceptedLink>& link) {
  Lock lock(mutex_);
  if (generation != generation_) return absl::nullopt;
  Verdict verdict;
  const InboundId id = proof_.Accepted(&verdict);
  accepted_[id].link = link;
  Carry(std::move(lock), std::move(verdict));
  return id;
}

absl::optional<int> Authenticator::OnMessage(InboundId id,
                                             absl::string_view message) {
  Lock lock(mutex_);
  Verdict verdict = proof_.OnMessage(id, message);
  const absl::optional<int> proven = verdict.proven;
  if (proven) accepted_.at(id).proven = proven;
  Carry(std::move(lock), std::move(verdict));
  return proven;
}

void Authenticator::Carry(Lock lock, Verdict verdict) {
  std::vector<std::pair<std::shared_ptr<AcceptedLink>, Rejection>> refused;
  for (Verdict::Refusal& refusal : verdict.refused) {
    const auto found = accepted_.find(refusal.link);
    if (found == accepted_.end()) continue;
    auto link = found->second.link.lock();
    if (link == nullptr) continue;
    refused.emplace_back(std::move(link), std::move(refusal.rejection));
  }
  lock.unlock();
  for (auto& entry : refused) entry.first->Refuse(std::move(entry.second));
  if (verdict.waiting_for) {
    const auto dialled = find_dialled_(*verdict.waiting_for);
    if (dialled != nullptr) dialled->OnMessagesWaiting();
  }
  if (!verdict.answer.empty()) {
    const auto dialled = find_dialled_(verdict.answer.peer);
    if (dialled != nullptr) dialled->OnAnswer(verdict.answer);
  }
}

Rejection Authenticator::TooLate(InboundId id) const {
  Lock lock(mutex_);
  return proof_.TooLate(id);
}

void Authenticator::Closed(InboundId id) {
  Lock lock(mutex_);
  proof_.Closed(id);
}

void Authenticator::Ended(InboundId id) {
  Lock lock(mutex_);
  proof_.Closed(id);  // it may have been closed before it knew its id
  accepted_.erase(id);
}

std::string Authenticator::Dialled(int peer, LinkTag* tag) {
  Lock lock(mutex_);
  return proof_.Dialled(peer, tag);
}

void Authenticator::Lost(int peer, const LinkTag& tag) {
  Lock lock(mutex_);
  proof_.Lost(peer, tag);
}

std::vector<std::string> Authenticator::TakeMessages(int peer) {
  Lock lock(mutex_);
  return proof_.TakeMessages(peer);
}

std::set<int> Authenticator::Reload(
    std::shared_ptr<const TlsMaterial> material) {
  std::vector<std::shared_ptr<AcceptedLink>> ended;
  std::set<int> revoked;
  {
    Lock lock(mutex_);
    revoked = material->RevokedSince(*material_);
    material_ = std::move(material);
    ++generation_;
    proof_.SetPeers(material_->Peers());
    for (const auto& entry : accepted_) {
      const absl::optional<int>& proven = entry.second.proven;
      if (proven && revoked.count(*proven) == 0) continue;
      auto link = entry.second.link.lock();
      if (link != nullptr) ended.push_back(std::move(link));
    }
  }
  for (const auto& link : ended) link->Revoke();
  return revoked;
}

}  // namespace nng
}  // namespace cluster
