#include "cluster/config/check.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "cluster/config/keys.h"
#include "cluster/config/memory.h"
#include "cluster/config/positioned_json.h"

namespace cluster::internal {
namespace {

// As the keys have them.
std::string InMilliseconds(absl::Duration duration) {
  return absl::StrFormat("%.15g ms", absl::ToDoubleMilliseconds(duration));
}

// Checks a value by the kind of its key.
struct ValueCheck {
  absl::Status operator()(const TextKey& key) const {
    return CheckText(places, path, config.*key.field, key.bytes_max);
  }
  absl::Status operator()(const SizeKey& key) const {
    const std::size_t found = config.*key.field;
    if (found >= key.least && found <= key.most) return absl::OkStatus();
    return places.Error(path,
                        absl::StrCat("found ", found, ", want an integer from ",
                                     key.least, " to ", key.most));
  }
  absl::Status operator()(const TimeKey& key) const {
    const absl::Duration found = config.*key.field;
    if (found >= absl::Milliseconds(key.least_ms) &&
        found <= absl::Milliseconds(key.most_ms)) {
      return absl::OkStatus();
    }
    return places.Error(
        path, absl::StrCat("found ", InMilliseconds(found), ", want ",
                           key.least_ms, " ms to ", key.most_ms, " ms"));
  }
  // A cast may have put anything into the field of a Config made by hand.
  absl::Status operator()(const WordKey& key) const {
    const int found = key.get(config);
    for (const WordKey::Word& word : key.words)
      if (word.value == found) return absl::OkStatus();
    return places.Error(path, absl::StrCat("found the value ", found, ", want ",
                                           AllowedOf(key)));
  }
  absl::Status operator()(const FlagKey&) const { return absl::OkStatus(); }
  absl::Status operator()(const FormKey&) const { return absl::OkStatus(); }

  const Config& config;
  const ConfigPlaces& places;
  const std::string path;
};

absl::Status CheckValues(const Config& config, const ConfigPlaces& places) {
  const Config defaults;
  absl::Status status;
  for (const ConfigKey& key : ConfigKeys()) {
    const bool means_nothing =
        config.delivery == Delivery::kBestEffort && key.reliable_only;
    if (!means_nothing) {
      status.Update(std::visit(
          ValueCheck{config, places, absl::StrCat("$.", key.name)}, key.value));
    } else if (ValueIn(config, key) != ValueIn(defaults, key)) {
      status.Update(ReliableOnlyError(places, key.name));
    }
  }
  return status;
}

// The error of two keys that do not go together. Its place is the key that the
// file holds. It says so if a number is the default.
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

absl::Status CheckDialect(const Config& config, const ConfigPlaces& places) {
  if (config.json_dialect != JsonDialect::kGo || MayHaveGoDialect(config))
    return absl::OkStatus();
  return places.Error(
      "$.json_dialect",
      absl::StrCat(
          "found \"go\" with ",
          config.codec == "json"
              ? "\"delivery\": \"reliable\""
              : absl::StrCat("\"codec\": ", QuotedExcerpt(config.codec)),
          ", want it with \"codec\": \"json\" and \"delivery\": "
          "\"best_effort\" only, or \"cluster\""));
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

std::string ConfigPlaces::ListenerPath(const Config& config,
                                       std::size_t index) const {
  return MemberPath(
      ItemPath(servers_path, index),
      config.servers[index].listen.empty() ? address_key : "listen");
}

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
  const bool implied = places.servers_path == "$.Server" &&
                       places.lines.count("$.delivery") == 0;
  return places.Error(
      absl::StrCat("$.", key),
      absl::StrCat("found with \"delivery\": \"best_effort\"",
                   implied ? " (which \"Server\" implies)" : "",
                   ", want it with \"reliable\" only, which alone has it"));
}

absl::Status CheckConfig(const Config& config, const ConfigPlaces& places) {
  absl::Status status = CheckValues(config, places);
  status.Update(CheckServers(config, places));
  if (status.ok()) status = CheckDialect(config, places);
  if (status.ok()) status = CheckPairs(config, places);
  if (status.ok()) status = CheckSecurity(config, places);
  return status;
}

namespace {

ConfigPlaces PlacesOf(const Config& config) {
  ConfigPlaces places;
  places.origin = config.origin;
  for (const auto& [key, line] : config.lines)
    places.lines.emplace(absl::StrCat("$.", key), line);
  if (config.lines.count("Server") != 0) places.UseGoForm();
  return places;
}

}  // namespace

std::string PlaceOfListener(const Config& config, int id) {
  const ConfigPlaces places = PlacesOf(config);
  for (std::size_t i = 0; i < config.servers.size(); ++i) {
    if (config.servers[i].id == id)
      return places.Place(places.ListenerPath(config, i));
  }
  return places.Place(places.servers_path);
}

}  // namespace cluster::internal

namespace cluster {

absl::Status ValidateConfig(const Config& config) {
  return internal::CheckConfig(config, internal::PlacesOf(config));
}

std::string PlaceOf(const Config& config, absl::string_view key) {
  const internal::ConfigPlaces places = internal::PlacesOf(config);
  return places.Place(key == "servers" ? places.servers_path
                                       : absl::StrCat("$.", key));
}

}  // namespace cluster
