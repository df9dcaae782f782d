#include "transport/nng/identity_proof.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace cluster {
namespace nng {
namespace {

using Kind = ProofMessage::Kind;

// Takes the same time wherever they differ.
bool Equal(const Nonce& a, const Nonce& b) {
  unsigned char difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  }
  return difference == 0;
}

}  // namespace

IdentityProof::IdentityProof(int own_id, RandomSource random)
    : own_id_(own_id), random_(std::move(random)) {}

InboundId IdentityProof::Accepted(Verdict* verdict) {
  const InboundId link = ++last_;
  inbound_.emplace(link, Inbound{});
  unproven_.insert(link);
  if (unproven_.size() > kUnprovenMax) {
    // Who has shown a certificate and said hello goes last; there is always one
    // that has not, the new one.
    const auto oldest = std::find_if(
        unproven_.begin(), unproven_.end(),
        [this](InboundId id) { return !inbound_.at(id).claimed.has_value(); });
    Refuse(*oldest, RejectionKind::kSilent,
           absl::StrCat("more than ", kUnprovenMax,
                        " connections have not said who they are; this one was "
                        "the oldest"),
           verdict);
  }
  return link;
}

void IdentityProof::Closed(InboundId link) {
  const auto found = inbound_.find(link);
  if (found == inbound_.end()) return;
  if (found->second.claimed) {
    Outbound& outbound = outbound_[*found->second.claimed];
    std::deque<InboundId>& claims = outbound.claims;
    claims.erase(std::remove(claims.begin(), claims.end(), link), claims.end());
    outbound.proven.erase(link);
  }
  unproven_.erase(link);
  inbound_.erase(found);
}

Verdict IdentityProof::OnMessage(InboundId link, absl::string_view bytes) {
  const auto found = inbound_.find(link);
  if (found == inbound_.end()) return Verdict{};  // closed meanwhile
  const absl::optional<ProofMessage> message = ParseProofMessage(bytes);
  if (!message) {
    return Refuse(link, RejectionKind::kMalformed,
                  "a control message that is none of this protocol");
  }
  if (message->kind == Kind::kHello) return OnHello(link, *message);
  if (!found->second.claimed) {
    return Refuse(link, RejectionKind::kMalformed,
                  "it did not say first who it is");
  }
  switch (message->kind) {
    case Kind::kChallenge:
      return OnChallenge(link, *message);
    case Kind::kProof:
      return OnProof(link, *message);
    case Kind::kDenial:
      return OnDenial(link, *message);
    case Kind::kPadding:
    case Kind::kHello:
      break;
  }
  if (found->second.proven) return Verdict{};
  return Refuse(link, RejectionKind::kMalformed,
                "padding before it has proven who it is");
}

Verdict IdentityProof::OnHello(InboundId link, const ProofMessage& message) {
  Inbound& inbound = inbound_.at(link);
  const int peer = message.server_id;
  if (inbound.claimed) {
    return Refuse(link, RejectionKind::kMalformed, "it said twice who it is");
  }
  if (peer == own_id_) {
    return Refuse(
        link, RejectionKind::kWrongIdentity,
        absl::StrCat("it claims to be server ", peer, ", which is this one"));
  }
  if (peers_.count(peer) == 0) {
    return Refuse(link, RejectionKind::kUnauthenticated,
                  absl::StrCat("it claims to be server ", peer,
                               ", of which this one has no certificate"));
  }
  inbound.claimed = peer;
  inbound.tag = message.tag;
  random_(inbound.nonce.data(), inbound.nonce.size());
  Outbound& outbound = outbound_[peer];
  outbound.claims.push_back(link);
  Verdict verdict;
  verdict.waiting_for = peer;
  if (outbound.claims.size() > kClaimsMax) {
    Refuse(outbound.claims.front(), RejectionKind::kSilent,
           absl::StrCat("more than ", kClaimsMax,
                        " connections claim to be server ", peer,
                        "; this one was the oldest"),
           &verdict);
  }
  return verdict;
}

Verdict IdentityProof::OnChallenge(InboundId link,
                                   const ProofMessage& message) {
  Inbound& inbound = inbound_.at(link);
  if (!inbound.proven && ++inbound.challenges > kChallengesMax) {
    return Refuse(link, RejectionKind::kMalformed,
                  "too many challenges before it has proven who it is");
  }
  const int peer = *inbound.claimed;
  Outbound& outbound = outbound_[peer];
  Verdict verdict;
  if (outbound.tag && *outbound.tag == message.tag) {
    // The second time it was asked before it saw the first answer.
    if (outbound.answered) return verdict;
    outbound.answered = true;
    verdict.answer = Verdict::Answer{peer, message.tag, ProofOf(message.nonce)};
    return verdict;
  }
  const bool was_ours = std::find(outbound.tags.begin(), outbound.tags.end(),
                                  message.tag) != outbound.tags.end();
  if (was_ours) return verdict;
  if (outbound.tag && outbound.denials.size() < kDenialsMax) {
    outbound.denials.push_back(message.nonce);
    verdict.waiting_for = peer;
  }
  return verdict;
}

Verdict IdentityProof::OnProof(InboundId link, const ProofMessage& message) {
  Inbound& inbound = inbound_.at(link);
  const int peer = *inbound.claimed;
  if (inbound.proven) {
    return Refuse(link, RejectionKind::kMalformed, "it proved itself twice");
  }
  if (!Equal(inbound.nonce, message.nonce)) {
    return Refuse(link, RejectionKind::kWrongIdentity,
                  absl::StrCat("it claims to be server ", peer,
                               ", but its proof is not of this connection"));
  }
  inbound.proven = true;
  unproven_.erase(link);
  Outbound& outbound = outbound_[peer];
  std::deque<InboundId>& claims = outbound.claims;
  claims.erase(std::remove(claims.begin(), claims.end(), link), claims.end());
  outbound.proven.insert(link);
  Verdict verdict;
  verdict.proven = peer;
  if (outbound.proven.size() > kProvenMax) {
    Refuse(*outbound.proven.begin(), RejectionKind::kSilent,
           absl::StrCat("server ", peer, " has more than ", kProvenMax,
                        " connections to this one; this was the oldest"),
           &verdict);
  }
  return verdict;
}

Verdict IdentityProof::OnDenial(InboundId link, const ProofMessage& message) {
  const int peer = *inbound_.at(link).claimed;
  Verdict verdict;
  for (const InboundId claim : outbound_[peer].claims) {
    const Inbound& claimed = inbound_.at(claim);
    if (!claimed.challenged || !Equal(claimed.nonce, message.nonce)) continue;
    Refuse(claim, RejectionKind::kWrongIdentity,
           absl::StrCat("it claims to be server ", peer,
                        ", which says that the connection is not its own"),
           &verdict);
    break;
  }
  return verdict;
}

Rejection IdentityProof::TooLate(InboundId link) const {
  const auto found = inbound_.find(link);
  Rejection rejection;
  rejection.kind = RejectionKind::kSilent;
  if (found == inbound_.end() || !found->second.claimed) {
    rejection.reason = "it did not say who it is within the handshake timeout";
    return rejection;
  }
  const int peer = *found->second.claimed;
  rejection.peer = peer;
  rejection.reason = absl::StrCat(
      "it claims to be server ", peer,
      found->second.challenged
          ? ", but did not prove it within the handshake timeout"
          : ", but this server had no connection to that one to ask over "
            "within the handshake timeout");
  return rejection;
}

std::string IdentityProof::Dialled(int peer, LinkTag* tag) {
  random_(tag->data(), tag->size());
  Outbound& outbound = outbound_[peer];
  outbound.tag = *tag;
  outbound.tags.push_back(*tag);
  if (outbound.tags.size() > kTagsKept) outbound.tags.pop_front();
  outbound.answered = false;
  outbound.denials.clear();
  for (const InboundId claim : outbound.claims) {
    inbound_.at(claim).challenged = false;
  }
  return HelloMessage(own_id_, *tag);
}

void IdentityProof::Lost(int peer, const LinkTag& tag) {
  Outbound& outbound = outbound_[peer];
  if (!outbound.tag || *outbound.tag != tag) return;
  outbound.tag.reset();
  outbound.denials.clear();
}

std::vector<std::string> IdentityProof::TakeMessages(int peer) {
  std::vector<std::string> messages;
  Outbound& outbound = outbound_[peer];
  if (!outbound.tag) return messages;
  for (const InboundId claim : outbound.claims) {
    Inbound& inbound = inbound_.at(claim);
    if (std::exchange(inbound.challenged, true)) continue;
    messages.push_back(ChallengeMessage(inbound.tag, inbound.nonce));
  }
  for (const Nonce& nonce : outbound.denials) {
    messages.push_back(DenialOf(nonce));
  }
  outbound.denials.clear();
  return messages;
}

std::vector<InboundId> IdentityProof::Unproven() const {
  return std::vector<InboundId>(unproven_.begin(), unproven_.end());
}

Verdict IdentityProof::Refuse(InboundId link, RejectionKind kind,
                              std::string reason) {
  Verdict verdict;
  Refuse(link, kind, std::move(reason), &verdict);
  return verdict;
}

void IdentityProof::Refuse(InboundId link, RejectionKind kind,
                           std::string reason, Verdict* verdict) {
  Rejection rejection;
  rejection.kind = kind;
  rejection.peer = inbound_.at(link).claimed;
  rejection.reason = std::move(reason);
  verdict->refused.push_back(Verdict::Refusal{link, std::move(rejection)});
  Closed(link);
}

}  // namespace nng
}  // namespace cluster
