#include "transport/nng/proof_message.h"

#include <algorithm>
#include <cstdint>

#include "transport/nng/wire.h"

namespace cluster {
namespace nng {
namespace {

using Kind = ProofMessage::Kind;

constexpr std::size_t kIdBytes = 4;

template <typename Bytes>
void Append(const Bytes& bytes, std::string* text) {
  text->append(bytes.data(), bytes.size());
}

// Takes bytes from the front of `text`, of which there are enough.
template <typename Bytes>
void Take(absl::string_view* text, Bytes* bytes) {
  std::copy_n(text->begin(), bytes->size(), bytes->begin());
  text->remove_prefix(bytes->size());
}

std::string OfKind(Kind kind) {
  return std::string(1, static_cast<char>(kind));
}

// What follows the kind; nothing: no such kind.
absl::optional<std::size_t> BodyBytes(Kind kind) {
  switch (kind) {
    case Kind::kHello:
      return kIdBytes + sizeof(LinkTag);
    case Kind::kChallenge:
      return sizeof(LinkTag) + sizeof(Nonce);
    case Kind::kProof:
    case Kind::kDenial:
      return sizeof(Nonce);
    case Kind::kPadding:
      return kControlBytesMax - 1;
  }
  return absl::nullopt;
}

}  // namespace

std::string HelloMessage(int server_id, const LinkTag& tag) {
  std::string text = OfKind(Kind::kHello);
  std::array<char, kIdBytes> id;
  StoreLength(static_cast<std::uint32_t>(server_id), id.data());
  Append(id, &text);
  Append(tag, &text);
  return text;
}

std::string ChallengeMessage(const LinkTag& tag, const Nonce& nonce) {
  std::string text = OfKind(Kind::kChallenge);
  Append(tag, &text);
  Append(nonce, &text);
  return text;
}

std::string ProofOf(const Nonce& nonce) {
  std::string text = OfKind(Kind::kProof);
  Append(nonce, &text);
  return text;
}

std::string DenialOf(const Nonce& nonce) {
  std::string text = OfKind(Kind::kDenial);
  Append(nonce, &text);
  return text;
}

std::string PaddingMessage() {
  std::string text = OfKind(Kind::kPadding);
  text.resize(kControlBytesMax, '\0');
  return text;
}

absl::optional<ProofMessage> ParseProofMessage(absl::string_view bytes) {
  if (bytes.empty()) return absl::nullopt;
  ProofMessage message;
  message.kind = static_cast<Kind>(bytes[0]);
  bytes.remove_prefix(1);
  if (BodyBytes(message.kind) != bytes.size()) return absl::nullopt;
  switch (message.kind) {
    case Kind::kHello: {
      std::array<char, kIdBytes> id;
      Take(&bytes, &id);
      message.server_id = static_cast<std::int32_t>(LoadLength(id.data()));
      Take(&bytes, &message.tag);
      break;
    }
    case Kind::kChallenge:
      Take(&bytes, &message.tag);
      Take(&bytes, &message.nonce);
      break;
    case Kind::kProof:
    case Kind::kDenial:
      Take(&bytes, &message.nonce);
      break;
    case Kind::kPadding:
      break;
  }
  return message;
}

}  // namespace nng
}  // namespace cluster
