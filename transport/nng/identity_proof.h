// IdentityProof: which server dialled an inbound link, proven link by link.
//
// nng's TLS listeners tell that a dialler has the key of some member, not of
// which. A dialler, though, knows exactly whom it speaks to: it takes nothing
// but the one certificate of the peer. So a link is proven over the link of the
// other direction:
//
//   B dials A   hello(id B, tag t)          on B's link: t names this link
//   A           challenge(t, nonce n)       on the link that A dialled to B
//   B           proof(n)                    on its link t, before any frame
//   A           believes link t to be B's
//
// n is fresh, 256 random bits, and leaves A only on a link whose far end has
// B's key. B gives it away only on a link whose far end has A's key, and only
// on the one that has the tag. So whoever returns n on an inbound link is B: a
// member M that says hello as B never sees the nonce of its own link, nor one
// of B's, and what it saw on other links fits no open challenge. M may send
// challenges of its own to B, as A; they name no tag of B's link to A, which
// only A has seen, so B does not answer them with a proof, but with a denial.
// denial(n) says "this link is not mine": A, who knows to what link n belongs,
// closes it at once, as one of a wrong identity. A link that was B's and that B
// has given up is not denied: A will see its end.
//
// Challenges and denials need no proven link to travel on, since their secrets
// speak for themselves. So both directions may start at once, and either may be
// lost and dialled again: that asks for the proof of this one only. Challenges
// that are open when the other direction comes back are sent again.
//
// What it is: the logic of all this for one server, free of I/O. What it is
// not: cryptography of its own, or aware of certificates.
//
// Memory: at most kUnprovenMax links that are not proven, of which at most
// kClaimsMax say the same id, and at most kProvenMax that are proven to be of
// the same peer; the oldest goes first. Per peer, at most kDenialsMax denials
// wait, and kTagsKept tags are known.
//
// Threads: one at a time. Errors: a Verdict refuses a link, with the reason.
//
//   IdentityProof proof(1, random);
//   proof.SetPeers({2, 3});
//   std::string hello = proof.Dialled(2, &tag);     // a link that we dialled
//   InboundId link = proof.Accepted(&verdict);      // one that came in
//   verdict = proof.OnMessage(link, bytes);

#ifndef TRANSPORT_NNG_IDENTITY_PROOF_H_
#define TRANSPORT_NNG_IDENTITY_PROOF_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "transport/nng/proof_message.h"
#include "transport/security.h"

namespace cluster {
namespace nng {

using InboundId = std::uint64_t;

// Fills bytes from a cryptographic source.
using RandomSource = std::function<void(char* bytes, std::size_t count)>;

// What a message, or a new link, leads to.
struct Verdict {
  // The link that the message came on is this server's from here on.
  absl::optional<int> proven;

  // Links to close, and what to tell of it; the one that the message came on
  // may be among them.
  struct Refusal {
    InboundId link = 0;
    Rejection rejection;
  };
  std::vector<Refusal> refused;

  // TakeMessages has something for this peer.
  absl::optional<int> waiting_for;

  // To be written as the first thing but control messages on the link that was
  // dialled to `peer` and has this tag; with it the link is usable.
  struct Answer {
    int peer = 0;
    LinkTag tag{};
    std::string message;  // empty: there is none
    bool empty() const { return message.empty(); }
  };
  Answer answer;
};

class IdentityProof {
 public:
  static constexpr std::size_t kUnprovenMax = 256;
  static constexpr std::size_t kClaimsMax = 8;
  // A server uses the latest that it dialled; the others are half-open, whose
  // ends have not been seen yet.
  static constexpr std::size_t kProvenMax = 4;
  static constexpr std::size_t kDenialsMax = 8;
  // Where connections are cut all the time, a peer that is slow asks after links
  // that were given up many dials ago.
  static constexpr std::size_t kTagsKept = 64;
  // What a link may send before it is proven. A server with honest peers sends
  // as many as the others dial it meanwhile.
  static constexpr int kChallengesMax = 64;

  IdentityProof(int own_id, RandomSource random);

  // Who may prove to be whom. Links of others are for the caller to close.
  void SetPeers(std::set<int> peers) { peers_ = std::move(peers); }

  // A link came in.
  InboundId Accepted(Verdict* verdict);
  Verdict OnMessage(InboundId link, absl::string_view bytes);
  void Closed(InboundId link);
  // What to tell of a link that had its time.
  Rejection TooLate(InboundId link) const;

  // A link was dialled, in place of any before it: its tag, and the first
  // message on it.
  std::string Dialled(int peer, LinkTag* tag);
  void Lost(int peer, const LinkTag& tag);
  // Challenges and denials for `peer`, to be written now on the link dialled to
  // it. Few and short.
  std::vector<std::string> TakeMessages(int peer);

  std::size_t unproven() const { return unproven_.size(); }
  std::vector<InboundId> Unproven() const;

 private:
  struct Inbound {
    absl::optional<int> claimed;
    bool proven = false;
    LinkTag tag{};
    Nonce nonce{};
    bool challenged = false;  // the challenge was taken to be written
    int challenges = 0;       // that came on it while it was not proven
  };
  struct Outbound {
    absl::optional<LinkTag> tag;  // of the link that is there
    bool answered = false;
    std::deque<LinkTag> tags;      // of the latest that were dialled
    std::deque<InboundId> claims;  // inbound links not proven, oldest first
    std::set<InboundId> proven;    // inbound links, oldest first
    std::deque<Nonce> denials;
  };

  Verdict OnHello(InboundId link, const ProofMessage& message);
  Verdict OnChallenge(InboundId link, const ProofMessage& message);
  Verdict OnProof(InboundId link, const ProofMessage& message);
  Verdict OnDenial(InboundId link, const ProofMessage& message);
  Verdict Refuse(InboundId link, RejectionKind kind, std::string reason);
  void Refuse(InboundId link, RejectionKind kind, std::string reason,
              Verdict* verdict);

  const int own_id_;
  const RandomSource random_;
  std::set<int> peers_;
  InboundId last_ = 0;
  std::map<InboundId, Inbound> inbound_;
  std::set<InboundId> unproven_;  // oldest first
  std::map<int, Outbound> outbound_;
};

}  // namespace nng
}  // namespace cluster

#endif  // TRANSPORT_NNG_IDENTITY_PROOF_H_
