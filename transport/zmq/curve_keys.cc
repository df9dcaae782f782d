#include "cluster/transport/zmq/curve_keys.h"

#include <zmq.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
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
                   ": holds what is no CURVE key, which is a line of 40 "
                   "characters as bazel run @cluster//tools:keygen makes it"));
}

// At least one.
absl::StatusOr<std::vector<CurveKey>> ReadPublicKeys(
    const std::string& folder) {
  absl::StatusOr<std::string> text = ReadPublicFile(folder, kZmqPublicFile);
  if (!text.ok()) return text.status();
  std::vector<CurveKey> keys;
  for (absl::string_view line : absl::StrSplit(WithoutLineEnd(*text), '\n')) {
    const absl::optional<CurveKey> key = ParseCurveKey(line);
    if (!key) return NoKey(folder, kZmqPublicFile);
    keys.push_back(*key);
  }
  return keys;
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

const CurvePeer* CurveKeys::FindPeer(int id, std::size_t turn) const {
  const auto found = peers_.find(id);
  if (found == peers_.end()) return nullptr;
  const std::vector<CurvePeer>& keys = found->second;
  // Each round begins one later. Else it might stay in step with a round of
  // another length, such as that of a name's addresses.
  return &keys[(turn + turn / keys.size()) % keys.size()];
}

const CurvePeer* CurveKeys::FindKey(const CurveKey& key) const {
  const auto id = ids_.find(key);
  if (id == ids_.end()) return nullptr;
  const std::vector<CurvePeer>& keys = peers_.at(id->second);
  return &*std::find_if(keys.begin(), keys.end(),
                        [&](const CurvePeer& peer) { return peer.key == key; });
}

bool CurveKeys::IsCurrent(const UserId& user) const {
  const auto found = peers_.find(user.peer);
  return found != peers_.end() &&
         std::any_of(
             found->second.begin(), found->second.end(),
             [&](const CurvePeer& peer) { return peer.serial == user.serial; });
}

absl::Status CurveKeys::AddKey(int id, const CurveKey& key,
                               const CurveKeys* before) {
  if (key == own_public_) {
    return absl::InvalidArgumentError(
        absl::StrCat("server ", id,
                     " has this server's own public key; each "
                     "server needs keys of its own"));
  }
  const auto [owner, is_new] = ids_.emplace(key, id);
  if (!is_new) {
    if (owner->second == id) return absl::OkStatus();  // the same line again
    return absl::InvalidArgumentError(
        absl::StrCat("servers ", owner->second, " and ", id,
                     " have the same public key; each server needs keys of its "
                     "own"));
  }
  const CurvePeer* const known =
      before == nullptr ? nullptr : before->FindKey(key);
  const bool same = known != nullptr && known->id == id;
  peers_[id].push_back({id, same ? known->serial : next_serial_++, key});
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const CurveKeys>> LoadCurveKeys(
    const SecurityFiles& files, const CurveKeys* before) {
  absl::StatusOr<Secret> secret = ReadSecretKey(files.identity);
  if (!secret.ok()) return secret.status();
  const absl::StatusOr<std::vector<CurveKey>> owns =
      ReadPublicKeys(files.identity);
  if (!owns.ok()) return owns.status();
  const auto own =
      std::find_if(owns->begin(), owns->end(),
                   [&](const CurveKey& key) { return Belong(*secret, key); });
  if (own == owns->end()) {
    return absl::InvalidArgumentError(
        absl::StrCat(files.identity, ": ", kZmqSecretFile, " and ",
                     kZmqPublicFile, " are not of one pair"));
  }
  auto keys = std::make_shared<CurveKeys>(*std::move(secret), *own);
  if (before != nullptr) keys->next_serial_ = before->next_serial_;
  for (const auto& [id, folder] : files.peers) {
    const absl::StatusOr<std::vector<CurveKey>> of_peer =
        ReadPublicKeys(folder);
    if (!of_peer.ok()) return of_peer.status();
    for (const CurveKey& key : *of_peer) {
      absl::Status status = keys->AddKey(id, key, before);
      if (!status.ok()) return status;
    }
  }
  return std::shared_ptr<const CurveKeys>(std::move(keys));
}

}  // namespace zmq_backend
}  // namespace cluster::internal
