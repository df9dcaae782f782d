// Authenticator: the security of one transport: the key material in use, the
// proofs of identity that are under way, and who must hear of what.
//
// What it is: IdentityProof and TlsMaterial under one lock, with the links that
// they speak of. What it is not: on the way of a frame.
//
// Generations: each reload begins one. A connection is accepted with the
// configuration that its accept began with; one of an older generation is not
// admitted.
//
// Threads: any. No link is called with the lock held. A dialled link may call
// Dialled, Lost and TakeMessages with its own lock held. Ownership: it does not
// own links. Errors: those of a link go to that link.
//
//   Authenticator authenticator(1, material, find_dialled);
//   absl::optional<InboundId> id = authenticator.Admit(generation, inbound);
//   absl::optional<int> peer = authenticator.OnMessage(*id, message);

#ifndef TRANSPORT_NNG_AUTHENTICATOR_H_
#define TRANSPORT_NNG_AUTHENTICATOR_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "transport/nng/identity_proof.h"
#include "transport/nng/tls_material.h"
#include "transport/security.h"

namespace cluster {
namespace nng {

// All links that were dialled to one peer, one after the other.
class DialledLink {
 public:
  virtual ~DialledLink() = default;
  // TakeMessages has something to write; if there is no connection, it is time
  // to dial.
  virtual void OnMessagesWaiting() = 0;
  virtual void OnAnswer(const Verdict::Answer& answer) = 0;
};

// A link that came in.
class AcceptedLink {
 public:
  virtual ~AcceptedLink() = default;
  // Tells the handler, and closes.
  virtual void Refuse(Rejection rejection) = 0;
  // Closes. When it returns, nothing of the link is being told to the handler
  // or will be.
  virtual void Revoke() = 0;
};

class Authenticator {
 public:
  using FindDialled = std::function<std::shared_ptr<DialledLink>(int peer)>;

  Authenticator(int own_id, std::shared_ptr<const TlsMaterial> material,
                FindDialled find_dialled);

  std::shared_ptr<const TlsMaterial> material() const;

  // For links that came in. Nothing: the generation is over.
  absl::optional<InboundId> Admit(std::uint64_t generation,
                                  const std::shared_ptr<AcceptedLink>& link);
  // The server that the link is proven to be by this message, if it is. The
  // link may be refused before it returns, others too.
  absl::optional<int> OnMessage(InboundId id, absl::string_view message);
  Rejection TooLate(InboundId id) const;
  void Closed(InboundId id);
  // Nothing of it is being told any more. Until then a Reload revokes it, be it
  // closed.
  void Ended(InboundId id);

  // For links that were dialled: see IdentityProof.
  std::string Dialled(int peer, LinkTag* tag);
  void Lost(int peer, const LinkTag& tag);
  std::vector<std::string> TakeMessages(int peer);

  // Begins a generation and revokes the links that came in and may not go on:
  // those of revoked peers, and those that have not proven whose they are.
  // Returns the revoked peers; links that were dialled to them are left to the
  // caller. Not from a callback of the handler.
  std::set<int> Reload(std::shared_ptr<const TlsMaterial> material);
  std::uint64_t generation() const;

 private:
  struct Accepted {
    std::weak_ptr<AcceptedLink> link;
    absl::optional<int> proven;
  };
  using Lock = std::unique_lock<std::mutex>;

  // What a verdict asks for; gives the lock back first.
  void Carry(Lock lock, Verdict verdict);

  const FindDialled find_dialled_;
  mutable std::mutex mutex_;
  // The rest is guarded by mutex_.
  std::shared_ptr<const TlsMaterial> material_;
  std::uint64_t generation_ = 0;
  IdentityProof proof_;
  std::map<InboundId, Accepted> accepted_;
};

}  // namespace nng
}  // namespace cluster

#endif  // TRANSPORT_NNG_AUTHENTICATOR_H_
