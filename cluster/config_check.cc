#include "cluster/config_check.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "cluster/config_limits.h"
#include "cluster/config_security.h"
#include "cluster/envelope.h"
#include "codec/positioned_json/positioned_json.h"
#include "transport/address.h"

namespace cluster {
namespace {

absl::Status CheckText(const ConfigPlaces& places, const std::string& path,
                       const std::string& text, std::size_t bytes_max) {
  if (!text.empty() && text.size() <= bytes_max) return absl::OkStatus();
  return places.Error(
      path, absl::StrCat("found ", QuotedExcerpt(text), " of ", text.size(),
                         " bytes, want 1 to ", bytes_max, " bytes"));
}

absl::Status CheckNames(const Config& config, const ConfigPlaces& places) {
  absl::Status status =
      CheckText(places, "$.cluster", config.cluster, kConfigClusterBytesMax);
  status.Update(
      CheckText(places, "$.transport", config.transport, kBackendNameBytesMax));
  status.Update(
      CheckText(places, "$.codec", config.codec, kBackendNameBytesMax));
  return status;
}

absl::Status CheckSize(const Config& config, const ConfigPlaces& places,
                       const SizeLimit& limit) {
  const std::size_t found = config.*limit.field;
  if (config.delivery == Delivery::kBestEffort &&
      limit.scope == Scope::kReliable) {
    return found == Config().*limit.field
               ? absl::OkStatus()
               : ReliableOnlyError(places, limit.key);
  }
  if (found >= limit.least && found <= limit.most) return absl::OkStatus();
  return places.Error(absl::StrCat("$.", limit.key),
                      absl::StrCat("found ", found, ", want an integer from ",
                                   limit.least, " to ", limit.most));
}

absl::Status CheckTime(const Config& config, const ConfigPlaces& places,
                       const TimeLimit& limit) {
  const absl::Duration found = config.*limit.field;
  if (config.delivery == Delivery::kBestEffort &&
      limit.scope == Scope::kReliable) {
    return found == Config().*limit.field
               ? absl::OkStatus()
               : ReliableOnlyError(places, limit.key);
  }
  if (found >= absl::Milliseconds(limit.least_ms) &&
      found <= absl::Milliseconds(limit.most_ms)) {
    return absl::OkStatus();
  }
  return places.Error(
      absl::StrCat("$.", limit.key),
      absl::StrCat("found ", absl::FormatDuration(found), ", want ",
                   limit.least_ms, " ms to ", limit.most_ms, " ms"));
}

absl::Status CheckPolicies(const Config& config, const ConfigPlaces& places) {
  if (config.delivery == Delivery::kReliable) return absl::OkStatus();
  if (config.overflow != Config().overflow)
    return ReliableOnlyError(places, "overflow");
  if (config.on_peer_restart != Config().on_peer_restart)
    return ReliableOnlyError(places, "on_peer_restart");
  return absl::OkStatus();
}

absl::Status CheckNumbers(const Config& config, const ConfigPlaces& places) {
  absl::Status status = CheckPolicies(config, places);
  for (const SizeLimit& limit : kSizeLimits)
    status.Update(CheckSize(config, places, limit));
  for (const TimeLimit& limit : kTimeLimits)
    status.Update(CheckTime(config, places, limit));
  return status;
}

// The error of two keys that do not go together stands at the one that the file
// holds, and says where a number is the default.
absl::Status PairError(const ConfigPlaces& places, absl::string_view key,
                       absl::string_view other, absl::string_view found,
                       absl::string_view want) {
  const bool held = places.lines.count(absl::StrCat("$.", key)) != 0;
  const bool other_held = places.lines.count(absl::StrCat("$.", other)) != 0;
  if (held || !other_held) {
    return places.Error(absl::StrCat("$.", key),
                        absl::StrCat("found ", found, ", want ", want));
  }
  return places.Error(absl::StrCat("$.", other),
                      absl::StrCat("needs ", key, " too: found ", found,
                                   ", its default, want ", want));
}

absl::Status CheckPairs(const Config& config, const ConfigPlaces& places) {
  if (config.delivery != Delivery::kReliable) return absl::OkStatus();
  const std::pair<const char*, std::size_t> kHoldAFrame[] = {
      {"inflight_bytes", config.inflight_bytes},
      {"window_bytes", config.window_bytes},
      {"queue_bytes_max", config.queue_bytes_max},
  };
  for (const auto& [key, bytes] : kHoldAFrame) {
    if (bytes >= config.frame_bytes) continue;
    return PairError(
        places, key, "frame_bytes", absl::StrCat(bytes),
        absl::StrCat("at least frame_bytes, ", config.frame_bytes));
  }
  if (config.peer_timeout < 2 * config.heartbeat) {
    return PairError(places, "peer_timeout_ms", "heartbeat_ms",
                     absl::FormatDuration(config.peer_timeout),
                     absl::StrCat("at least twice heartbeat_ms, ",
                                  absl::FormatDuration(2 * config.heartbeat)));
  }
  return absl::OkStatus();
}

// One form per address, so that "h:080" and "h:80" are the same one; "" if the
// port is any free one. The form of a transport that is not ours is not known.
absl::StatusOr<std::string> AddressIdentity(const Config& config,
                                            const std::string& text) {
  const bool ours = config.transport == "zmq" || config.transport == "nng";
  const absl::StatusOr<Address> address = ParseAddress(text);
  if (!address.ok() && ours) return address.status();
  if (!address.ok()) return text;
  if (address->kind == Address::Kind::kTcp && address->port == 0)
    return std::string();
  return ours ? ToString(*address) : text;
}

// Ids and addresses seen so far, and which server had them.
struct Seen {
  std::map<int, std::size_t> ids;
  std::map<std::string, std::size_t> addresses;
};

absl::Status CheckServer(const Config& config, const ConfigPlaces& places,
                         std::size_t index, Seen* seen) {
  const ServerAddress& server = config.servers[index];
  const std::string path = ItemPath(places.servers_path, index);
  const std::string id_path = MemberPath(path, places.id_key);
  const std::string address_path = MemberPath(path, places.address_key);
  if (server.id < 0) {
    return places.Error(
        id_path, absl::StrCat("found ", server.id,
                              ", want an integer from 0 to ", kServerIdMax));
  }
  const auto [id, id_is_new] = seen->ids.emplace(server.id, index);
  if (!id_is_new) {
    return places.Error(id_path,
                        absl::StrCat("found ", server.id, ", the id of ",
                                     ItemPath(places.servers_path, id->second),
                                     " too; want every id once"));
  }
  absl::Status status =
      CheckText(places, address_path, server.address, kAddressBytesMax);
  if (!status.ok()) return status;
  absl::StatusOr<std::string> identity =
      AddressIdentity(config, server.address);
  if (!identity.ok()) {
    absl::string_view text = identity.status().message();
    absl::ConsumePrefix(&text, "address ");
    return places.Error(address_path, absl::StrCat("found ", text));
  }
  if (identity->empty()) return absl::OkStatus();
  const auto [address, address_is_new] =
      seen->addresses.emplace(*std::move(identity), index);
  if (address_is_new) return absl::OkStatus();
  return places.Error(
      address_path,
      absl::StrCat("found ", QuotedExcerpt(server.address), ", the address of ",
                   ItemPath(places.servers_path, address->second),
                   " too; want every address once"));
}

absl::Status CheckServers(const Config& config, const ConfigPlaces& places) {
  if (config.servers.empty() || config.servers.size() > kServersMax) {
    return places.Error(places.servers_path,
                        absl::StrCat("found ", config.servers.size(),
                                     " servers, want 1 to ", kServersMax));
  }
  Seen seen;
  for (std::size_t i = 0; i < config.servers.size(); ++i) {
    absl::Status status = CheckServer(config, places, i, &seen);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

std::string ConfigPlaces::Place(absl::string_view path) const {
  const auto line = lines.find(std::string(path));
  return absl::StrCat(
      origin.empty() ? "config" : origin,
      line == lines.end() ? "" : absl::StrCat(":", line->second), ": ", path);
}

absl::Status ConfigPlaces::Error(absl::string_view path,
                                 absl::string_view text) const {
  return absl::InvalidArgumentError(absl::StrCat(Place(path), ": ", text));
}

absl::Status ReliableOnlyError(const ConfigPlaces& places,
                               absl::string_view key) {
  return places.Error(
      absl::StrCat("$.", key),
      "found with \"delivery\": \"best_effort\", want it with \"reliable\" "
      "only, which alone has it");
}

absl::Status CheckConfig(const Config& config, const ConfigPlaces& places) {
  absl::Status status = CheckNames(config, places);
  status.Update(CheckServers(config, places));
  status.Update(CheckNumbers(config, places));
  if (status.ok()) status = CheckPairs(config, places);
  if (status.ok()) status = CheckSecurity(config, places);
  return status;
}

}  // namespace cluster
