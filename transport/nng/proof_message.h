// Proof messages: the control messages of secured links, to bytes and back.
//
//   bytes
//     1   kind
//   then, by kind,
//     hello      4 the dialler's server id, little-endian, 16 the link's tag
//     challenge  16 tag of the link that is asked, 32 nonce
//     proof      32 nonce
//     denial     32 nonce
//     padding    nothing that matters
//
// A tag names one connection, and only its two ends know it. What the messages
// are for stands in transport/nng/identity_proof.h.
//
// Threads: functions without state. Errors: bytes that are no message parse to
// nothing.
//
//   absl::optional<ProofMessage> message = ParseProofMessage(bytes);

#ifndef TRANSPORT_NNG_PROOF_MESSAGE_H_
#define TRANSPORT_NNG_PROOF_MESSAGE_H_

#include <array>
#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace cluster {
namespace nng {

using LinkTag = std::array<char, 16>;
using Nonce = std::array<char, 32>;

struct ProofMessage {
  enum class Kind : char {
    kHello = 1,
    kChallenge = 2,
    kProof = 3,
    kDenial = 4,
    kPadding = 5,
  };
  Kind kind = Kind::kPadding;
  int server_id = 0;  // of a hello
  LinkTag tag{};      // of a hello or challenge
  Nonce nonce{};      // of the others but padding
};

std::string HelloMessage(int server_id, const LinkTag& tag);
std::string ChallengeMessage(const LinkTag& tag, const Nonce& nonce);
std::string ProofOf(const Nonce& nonce);
std::string DenialOf(const Nonce& nonce);
std::string PaddingMessage();  // kControlBytesMax long

absl::optional<ProofMessage> ParseProofMessage(absl::string_view bytes);

}  // namespace nng
}  // namespace cluster

#endif  // TRANSPORT_NNG_PROOF_MESSAGE_H_
