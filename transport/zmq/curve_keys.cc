#include "cluster/transport/zmq/curve_keys.h"

#include <zmq.h>

#include <cstddef>
#include <cstring>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace cluster::internal {
namespace zmq_backend {
namespace {

constexpr std::size_t kZ85Bytes = 40;
constexpr absl::string_view kZ85Alphabet =
    "0123456789abcdefghijklmnopqrstuvwxyz"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

absl::string_view WithoutLineEnd(absl::string_view text) {
  absl::ConsumeSuffix(&text, "\n");
  absl::ConsumeSuffix(&text, "\r");
  return text;
}

bool IsZ85Key(absl::string_view text) {
  return text.size() == kZ85Bytes &&
         text.find_first_not_of(kZ85Alphabet) == absl::string_view::npos;
}

absl::Status NoKey(const std::string& folder, absl::string_view name) {
  return absl::InvalidArgumentError(
      absl::StrCat(folder, "/", name,
                   ": holds no CURVE key, which is a line of 40 characters as "
                   "bazel run @cluster//tools:keygen makes it"));
}

absl::StatusOr<CurveKey> ReadPublicKey(const std::string& folder) {
  absl::StatusOr<std::string> text = ReadPublicFile(folder, kZmqPublicFile);
  if (!text.ok()) return text.status();
  const absl::optional<CurveKey> key = ParseCurveKey(*text);
  if (!key) return NoKey(folder, kZmqPublicFile);
  return *key;
}

absl::StatusOr<Secret> ReadSecretKey(const std::string& folder) {
  absl::StatusOr<Secret> text = ReadPrivateFile(folder, kZmqSecretFile);
  if (!text.ok()) return text;
  const std::size_t bytes = WithoutLineEnd(text->text()).size();
  text->Truncate(bytes);
  if (!IsZ85Key(text->text())) return NoKey(folder, kZmqSecretFile);
  return text;
}

// Whether the two are of one pair; false for a secret that is no key at all.
bool Belong(const Secret& secret, const CurveKey& public_key) {
  char derived[kZ85Bytes + 1] = {};
  return zmq_curve_public(derived, secret.c_str()) == 0 &&
         ParseCurveKey(derived) == public_key;
}

}  // namespace

absl::optional<CurveKey> ParseCurveKey(absl::string_view text) {
  const std::string z85(WithoutLineEnd(text));
  CurveKey key{};
  if (!IsZ85Key(z85) || zmq_z85_decode(key.data(), z85.c_str()) == nullptr)
    return absl::nullopt;
  return key;
}

std::string ToString(const UserId& user) {
  return absl::StrCat(user.peer, ".", user.serial);
}

absl::optional<UserId> ParseUserId(absl::string_view text) {
  UserId user;
  const std::size_t dot = text.find('.');
  if (dot == absl::string_view::npos ||
      !absl::SimpleAtoi(text.substr(0, dot), &user.peer) || user.peer < 0 ||
      !absl::SimpleAtoi(text.substr(dot + 1), &user.serial)) {
    return absl::nullopt;
  }
  return user;
}

const CurvePeer* CurveKeys::FindPeer(int id) const {
  const auto found = peers_.find(id);
  return found == peers_.end() ? nullptr : &found->second;
}

const CurvePeer* CurveKeys::FindKey(const CurveKey& key) const {
  const auto found = ids_.find(key);
  return found == ids_.end() ? nullptr : FindPeer(found->second);
}

bool CurveKeys::IsCurrent(const UserId& user) const {
  const CurvePeer* const peer = FindPeer(user.peer);
  return peer != nullptr && peer->serial == user.serial;
}

absl::Status CurveKeys::AddPeer(int id, const CurveKey& key,
                                const CurveKeys* before) {
  if (key == own_public_) {
    return absl::InvalidArgumentError(
        absl::StrCat("server ", id,
                     " has this server's own public key; each "
                     "server needs keys of its own"));
  }
  const auto [owner, is_new] = ids_.emplace(key, id);
  if (!is_new) {
    return absl::InvalidArgumentError(
        absl::StrCat("servers ", owner->second, " and ", id,
                     " have the same public key; each server needs keys of its "
                     "own"));
  }
  const CurvePeer* const known =
      before == nullptr ? nullptr : before->FindPeer(id);
  const bool same = known != nullptr && known->key == key;
  peers_[id] = {id, same ? known->serial : next_serial_++, key};
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const CurveKeys>> LoadCurveKeys(
    const SecurityFiles& files, const CurveKeys* before) {
  absl::StatusOr<Secret> secret = ReadSecretKey(files.identity);
  if (!secret.ok()) return secret.status();
  const absl::StatusOr<CurveKey> own = ReadPublicKey(files.identity);
  if (!own.ok()) return own.status();
  if (!Belong(*secret, *own)) {
    return absl::InvalidArgumentError(
        absl::StrCat(files.identity, ": ", kZmqSecretFile, " and ",
                     kZmqPublicFile, " are not of one pair"));
  }
  auto keys = std::make_shared<CurveKeys>(*std::move(secret), *own);
  if (before != nullptr) keys->next_serial_ = before->next_serial_;
  for (const auto& [id, folder] : files.peers) {
    const absl::StatusOr<CurveKey> key = ReadPublicKey(folder);
    if (!key.ok()) return key.status();
    absl::Status status = keys->AddPeer(id, *key, before);
    if (!status.ok()) return status;
  }
  return std::shared_ptr<const CurveKeys>(std::move(keys));
}

}  // namespace zmq_backend
}  // namespace cluster::internal
