#include "cluster/config/check.h"

#include <initializer_list>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "cluster/config/limits.h"
#include "cluster/config/memory.h"
#include "cluster/config/positioned_json.h"
#include "cluster/config/security.h"

namespace cluster {
namespace {

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

// As the keys have them.
std::string InMilliseconds(absl::Duration duration) {
  return absl::StrFormat("%.15g ms", absl::ToDoubleMilliseconds(duration));
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
      absl::StrCat("found ", InMilliseconds(found), ", want ", limit.least_ms,
                   " ms to ", limit.most_ms, " ms"));
}

// A cast may have put anything into the field of a Config made by hand.
template <typename Enum>
absl::Status CheckEnum(const ConfigPlaces& places, absl::string_view key,
                       Enum found, std::initializer_list<Enum> known,
                       absl::string_view want) {
  for (const Enum value : known) {
    if (found == value) return absl::OkStatus();
  }
  return places.Error(absl::StrCat("$.", key),
                      absl::StrCat("found the value ", static_cast<int>(found),
                                   ", want ", want));
}

absl::Status CheckEnums(const Config& config, const ConfigPlaces& places) {
  absl::Status status = CheckEnum(places, "delivery", config.delivery,
                                  {Delivery::kReliable, Delivery::kBestEffort},
                                  "kReliable or kBestEffort");
  status.Update(CheckEnum(places, "overflow", config.overflow,
                          {Overflow::kReject, Overflow::kDropOldest},
                          "kReject or kDropOldest"));
  status.Update(CheckEnum(places, "on_peer_restart", config.on_peer_restart,
                          {OnPeerRestart::kResend, OnPeerRestart::kDrop},
                          "kResend or kDrop"));
  using Mode = SecurityConfig::Mode;
  status.Update(CheckEnum(places, "security.mode", config.security.mode,
                          {Mode::kNone, Mode::kMutual}, "kNone or kMutual"));
  return status;
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
  const std::size_t memory_least = MemoryBytesMin(config.payload_bytes_max);
  if (config.memory_bytes_max < memory_least) {
    return PairError(places, "memory_bytes_max", "payload_bytes_max",
                     absl::StrCat(config.memory_bytes_max),
                     absl::StrCat("at least ", memory_least,
                                  " for payloads of payload_bytes_max, ",
                                  config.payload_bytes_max));
  }
  if (config.peer_timeout < 2 * config.heartbeat) {
    return PairError(places, "peer_timeout_ms", "heartbeat_ms",
                     InMilliseconds(config.peer_timeout),
                     absl::StrCat("at least twice heartbeat_ms, ",
                                  InMilliseconds(2 * config.heartbeat)));
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

absl::Status CheckText(const ConfigPlaces& places, const std::string& path,
                       const std::string& text, std::size_t bytes_max) {
  if (!text.empty() && text.size() <= bytes_max) return absl::OkStatus();
  return places.Error(
      path, absl::StrCat("found ", QuotedExcerpt(text), " of ", text.size(),
                         " bytes, want 1 to ", bytes_max, " bytes"));
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
  status.Update(CheckEnums(config, places));
  status.Update(CheckServers(config, places));
  status.Update(CheckNumbers(config, places));
  if (status.ok()) status = CheckPairs(config, places);
  if (status.ok()) status = CheckSecurity(config, places);
  return status;
}

}  // namespace cluster
