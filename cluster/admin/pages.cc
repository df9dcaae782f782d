#include "cluster/admin/pages.h"

#include <algorithm>
#include <cstdint>
#include <variant>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cluster/codec/frame_header.h"
#include "cluster/codec/json/text.h"
#include "cluster/config/keys.h"
#include "cluster/transport/refusal_reason.h"
#include "cluster/transport/transport_facts.h"
#include "cluster/version.h"
#include "rapidjson/prettywriter.h"
#include "rapidjson/stringbuffer.h"

namespace cluster::internal {
namespace {

class Json {
 public:
  Json() { writer_.SetIndent(' ', 2); }

  Json& Key(absl::string_view name) {
    writer_.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
    return *this;
  }
  void Text(absl::string_view text) {
    writer_.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
  }
  // It may come from the network, and what is no UTF-8 would be no JSON.
  void Foreign(absl::string_view text) {
    Text(IsUtf8(text) ? std::string(text) : absl::CEscape(text));
  }
  void Number(std::uint64_t number) { writer_.Uint64(number); }
  // Of 64 random bits, which a reader of doubles would round.
  void Id(std::uint64_t id) { Text(absl::StrCat(id)); }
  void Flag(bool flag) { writer_.Bool(flag); }
  void Seconds(absl::Duration duration) {
    writer_.Double(absl::ToDoubleSeconds(duration));
  }
  // Seconds since 1970; null: never.
  void Time(absl::Time time) {
    if (time == absl::InfinitePast() || time == absl::InfiniteFuture()) {
      writer_.Null();
    } else {
      writer_.Double(absl::ToUnixMillis(time) / 1e3);
    }
  }
  // JSON already.
  void Raw(const std::string& json, rapidjson::Type type) {
    writer_.RawValue(json.data(), json.size(), type);
  }
  template <typename Members>
  void Object(Members members) {
    writer_.StartObject();
    members();
    writer_.EndObject();
  }
  template <typename Items>
  void Array(Items items) {
    writer_.StartArray();
    items();
    writer_.EndArray();
  }
  std::string Take() { return absl::StrCat(buffer_.GetString(), "\n"); }

 private:
  rapidjson::StringBuffer buffer_;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> writer_{buffer_};
};

template <typename Stats>
void Refusals(const Stats& stats, Json* json) {
  json->Key("refused").Object([&] {
    for (int i = 0; i < kRefusalReasons; ++i) {
      const auto reason = static_cast<RefusalReason>(i);
      if (stats.Refused(reason) > 0)
        json->Key(RefusalReasonName(reason)).Number(stats.Refused(reason));
    }
  });
}

void Figures(const PeerStats& stats, StatKind kind, Json* json) {
  json->Object([&] {
    for (const PeerFigure& figure : kPeerFigures) {
      if (figure.kind == kind)
        json->Key(figure.name).Number(stats.*figure.value);
    }
  });
}

void Counts(const PeerStats& stats, Json* json) {
  json->Key("counters");
  Figures(stats, StatKind::kSum, json);
  json->Key("gauges");
  Figures(stats, StatKind::kNow, json);
  json->Key("dropped").Object([&] {
    for (int i = 0; i < kDropReasons; ++i) {
      const auto reason = static_cast<DropReason>(i);
      if (stats.Dropped(reason) > 0)
        json->Key(DropReasonName(reason)).Number(stats.Dropped(reason));
    }
  });
  Refusals(stats, json);
}

void Peer(const Snapshot& snapshot, const PeerStats& stats, Json* json) {
  const bool member = std::binary_search(snapshot.peers.begin(),
                                         snapshot.peers.end(), stats.peer);
  json->Object([&] {
    json->Key("id").Number(static_cast<std::uint64_t>(stats.peer));
    json->Key("member").Flag(member);
    json->Key("state").Text(stats.up ? "up" : "down");
    json->Key("since").Time(stats.since);
    json->Key("address").Foreign(stats.address);
    json->Key("incarnation").Id(stats.incarnation);
    json->Key("wire_version")
        .Number(static_cast<std::uint64_t>(stats.wire_version));
    json->Key("rtt_seconds").Seconds(stats.rtt);
    json->Key("round_trips").Number(stats.round_trips.count());
    json->Key("last_round_trip_seconds").Seconds(stats.last_round_trip);
    json->Key("lag_seconds").Seconds(stats.lag);
    json->Key("last_trouble").Foreign(stats.last_trouble);
    json->Key("last_trouble_at").Time(stats.last_trouble_at);
    json->Key("certificate_expires").Time(stats.certificate_expires);
    Counts(stats, json);
  });
}

const char* SecurityName(const Config& config) {
  return config.security.mode == SecurityConfig::Mode::kNone ? "none"
                                                             : "mutual";
}

void Server(const Snapshot& snapshot, Json* json) {
  const Config& config = snapshot.config;
  const PeerStats& own = snapshot.stats.own;
  json->Key("id").Number(static_cast<std::uint64_t>(snapshot.id));
  json->Key("cluster").Foreign(config.cluster);
  json->Key("library").Text(kVersion);
  json->Key("address").Foreign(snapshot.address);
  json->Key("transport").Foreign(config.transport);
  json->Key("codec").Foreign(config.codec);
  json->Key("delivery")
      .Text(config.delivery == Delivery::kReliable ? "reliable"
                                                   : "best_effort");
  json->Key("security").Text(SecurityName(config));
  json->Key("wire_version_min").Number(kFrameVersionMin);
  json->Key("wire_version_max").Number(kFrameVersionMax);
  json->Key("heartbeat_seconds").Seconds(config.heartbeat);
  json->Key("peer_timeout_seconds").Seconds(config.peer_timeout);
  json->Key("incarnation").Id(own.incarnation);
  json->Key("running").Flag(snapshot.running());
  json->Key("since").Time(own.since);
  json->Key("ready").Flag(snapshot.ready());
  json->Key("members").Number(snapshot.members());
  json->Key("members_up").Number(snapshot.members_up());
  json->Key("certificate_expires").Time(own.certificate_expires);
}

void Totals(const ServerStats& stats, Json* json) {
  json->Object([&] {
    json->Key("delivered").Number(stats.delivered);
    json->Key("slow_handlers").Number(stats.slow_handlers);
    json->Key("inbox_bytes").Number(stats.inbox_bytes);
    json->Key("held_bytes").Number(stats.held_bytes);
    json->Key("reassembly_bytes").Number(stats.reassembly_bytes);
    Refusals(stats, json);
    json->Key("to_itself").Object([&] { Counts(stats.own, json); });
  });
}

void Option(const OptionValue& value, Json* json) {
  if (const auto* flag = std::get_if<bool>(&value)) return json->Flag(*flag);
  if (const auto* number = std::get_if<std::int64_t>(&value))
    return json->Raw(absl::StrCat(*number), rapidjson::kNumberType);
  if (const auto* number = std::get_if<double>(&value))
    return json->Raw(absl::StrCat(*number), rapidjson::kNumberType);
  json->Foreign(std::get<std::string>(value));
}

// Of the library's own transports. Others may have secrets in theirs.
void TransportObjects(const Config& config, Json* json) {
  for (const auto& [name, options] : config.transport_options) {
    if (FindTransportFacts(name) == nullptr) continue;
    json->Key(name).Object([&, &values = options.values] {
      for (const auto& [option, value] : values) {
        json->Key(option);
        Option(value, json);
      }
    });
  }
}

}  // namespace

std::string StatusPage(const Snapshot& snapshot) {
  Json json;
  json.Object([&] {
    json.Key("schema").Number(kStatusSchema);
    json.Key("at").Time(snapshot.at);
    json.Key("server").Object([&] { Server(snapshot, &json); });
    json.Key("totals");
    Totals(snapshot.stats, &json);
    json.Key("peers").Array([&] {
      for (const PeerStats& stats : snapshot.stats.peers)
        Peer(snapshot, stats, &json);
    });
  });
  return json.Take();
}

std::string ConfigPage(const Snapshot& snapshot) {
  const Config& config = snapshot.config;
  Json json;
  json.Object([&] {
    for (const ConfigKey& key : ConfigKeys()) {
      const std::string value = ValueIn(config, key);
      if (value.empty() || absl::StrContains(key.name, '.')) continue;
      json.Key(key.name);
      if (std::holds_alternative<TextKey>(key.value)) {
        json.Foreign(config.*std::get<TextKey>(key.value).field);
      } else {
        json.Raw(value, rapidjson::kObjectType);
      }
    }
    json.Key("servers").Array([&] {
      for (const ServerAddress& server : config.servers) {
        json.Object([&] {
          json.Key("id").Number(static_cast<std::uint64_t>(server.id));
          json.Key("address").Foreign(server.address);
          if (!server.listen.empty()) json.Key("listen").Foreign(server.listen);
        });
      }
    });
    json.Key("security").Object([&] {
      json.Key("mode").Text(SecurityName(config));
    });
    TransportObjects(config, &json);
  });
  return json.Take();
}

std::string ReadyPage(const Snapshot& snapshot) {
  std::string page = absl::StrCat(snapshot.ready() ? "ready" : "not ready",
                                  ": ", snapshot.members_up(), " of ",
                                  snapshot.members(), " members up\n");
  for (const int peer : snapshot.peers) {
    const PeerStats* const stats = snapshot.Find(peer);
    absl::StrAppend(&page, "server ", peer, ": ",
                    stats != nullptr && stats->up ? "up" : "down", "\n");
  }
  return page;
}

}  // namespace cluster::internal
