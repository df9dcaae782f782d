#include "cluster/config/keys.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cluster/config/limits.h"
#include "cluster/transport/transport_facts.h"

namespace cluster::internal {
namespace {

constexpr KeyScope kBoth = KeyScope::kBoth;
constexpr KeyScope kReliable = KeyScope::kReliable;
constexpr KeyLive kNotLive = KeyLive::kNo;
constexpr KeyLive kLive = KeyLive::kYes;

constexpr std::uint64_t kKiB = 1u << 10;
constexpr std::uint64_t kMiB = 1u << 20;
constexpr std::uint64_t kGiB = 1u << 30;
static_assert(sizeof(std::size_t) == 8, "byte limits go up to 1 TiB");
constexpr std::int64_t kMinuteMs = 60 * 1000;

// `field` gives a reference to the enum in a Config.
template <typename Field, typename Enum>
WordKey Words(Field field,
              std::initializer_list<std::pair<const char*, Enum>> words) {
  WordKey key;
  for (const auto& [text, value] : words)
    key.words.push_back({text, static_cast<int>(value)});
  key.get = [field](const Config& config) {
    return static_cast<int>(field(config));
  };
  key.set = [field](int value, Config* config) {
    field(*config) = static_cast<Enum>(value);
  };
  return key;
}

std::vector<ConfigKey> MakeKeys() {
  using Mode = SecurityConfig::Mode;
  using C = Config;
  return {
      {"cluster", TextKey{&C::cluster, kConfigClusterBytesMax}, kBoth, kNotLive,
       "name of the cluster; servers of another name are refused"},
      {"transport", TextKey{&C::transport, kBackendNameBytesMax}, kBoth,
       kNotLive,
       "how bytes travel: one of the transports whose objects are below"},
      {"codec", TextKey{&C::codec, kBackendNameBytesMax}, kBoth, kNotLive,
       "how envelopes are written: binary, or json for people"},
      {"delivery",
       Words([](auto& config) -> auto& { return config.delivery; },
             {std::pair{"reliable", Delivery::kReliable},
              std::pair{"best_effort", Delivery::kBestEffort}}),
       kBoth, kNotLive,
       "best_effort: at most once, one envelope a message, nothing added"},
      {"servers", FormKey{"list of servers"}, kBoth, kNotLive,
       "the members of the cluster; AddPeer and RemovePeer change them"},
      {"servers.id", FormKey{"0 to 2147483647"}, kBoth, kNotLive,
       "the server's number"},
      {"servers.address", FormKey{"address"}, kBoth, kNotLive,
       "where the other servers reach it"},
      {"servers.listen", FormKey{"address"}, kBoth, kNotLive,
       "where it listens, if not at its address"},
      {"Server", FormKey{"list of servers"}, kBoth, kNotLive,
       "instead of servers: the Go library's form, on 127.0.0.1"},
      {"Server.Server_Id", FormKey{"0 to 2147483647"}, kBoth, kNotLive,
       "the server's number"},
      {"Server.Port_Num", FormKey{"0 to 65535"}, kBoth, kNotLive, "its port"},
      {"frame_bytes", SizeKey{&C::frame_bytes, 512, 4 * kMiB}, kReliable,
       kNotLive,
       "a frame leaves when it holds this much, or sooner if the session is "
       "idle"},
      {"inflight_bytes", SizeKey{&C::inflight_bytes, 512, kGiB}, kReliable,
       kNotLive,
       "the most that is in transit to a peer; ordinary frames use half of it. "
       "It bounds what an urgent envelope waits for"},
      {"window_bytes", SizeKey{&C::window_bytes, 512, kGiB}, kReliable,
       kNotLive, "received and not yet taken by the application, per peer"},
      {"queue_bytes_max", SizeKey{&C::queue_bytes_max, 512, 64 * kGiB},
       kReliable, kNotLive, "accepted and not yet transmitted, per peer"},
      {"payload_bytes_max", SizeKey{&C::payload_bytes_max, 1, kGiB}, kBoth,
       kNotLive, "of one envelope; large ones travel in chunks"},
      {"memory_bytes_max",
       SizeKey{&C::memory_bytes_max, 64 * kKiB, 1024 * kGiB}, kReliable,
       kNotLive,
       "what all peers' queues, windows and large payloads take together; at "
       "least ten times payload_bytes_max"},
      {"inbox_bytes_max", SizeKey{&C::inbox_bytes_max, kKiB, 64 * kGiB}, kBoth,
       kNotLive,
       "unread envelopes that no window bounds: a server's own, and best "
       "effort"},
      {"overflow",
       Words([](auto& config) -> auto& { return config.overflow; },
             {std::pair{"reject", Overflow::kReject},
              std::pair{"drop_oldest", Overflow::kDropOldest}}),
       kReliable, kNotLive,
       "what a full queue does; drop_oldest: the oldest of the new envelope's "
       "lane goes, or of a less urgent one"},
      {"on_peer_restart",
       Words([](auto& config) -> auto& { return config.on_peer_restart; },
             {std::pair{"resend", OnPeerRestart::kResend},
              std::pair{"drop", OnPeerRestart::kDrop}}),
       kReliable, kNotLive,
       "envelopes of unknown fate when a peer returns as a new process"},
      {"heartbeat_ms", TimeKey{&C::heartbeat, 10, 10 * kMinuteMs}, kReliable,
       kNotLive, "how often an idle session shows that it lives"},
      {"peer_timeout_ms", TimeKey{&C::peer_timeout, 20, 60 * kMinuteMs},
       kReliable, kNotLive, "a peer that is silent for this long is down"},
      {"handshake_timeout_ms",
       TimeKey{&C::handshake_timeout, 10, 10 * kMinuteMs}, kBoth, kNotLive,
       "a connection that does not complete its handshake by then is closed"},
      {"linger_ms", TimeKey{&C::linger, 0, 10 * kMinuteMs}, kBoth, kNotLive,
       "how long Stop tries to deliver what was accepted"},
      {"security", FormKey{"object"}, kBoth, kNotLive,
       "how servers prove who they are, and encrypt"},
      {"security.mode",
       Words([](auto& config) -> auto& { return config.security.mode; },
             {std::pair{"mutual", Mode::kMutual},
              std::pair{"none", Mode::kNone}}),
       kBoth, kNotLive, "mutual: both ends of each connection"},
      {"security.identity", FormKey{"folder"}, kBoth, kLive,
       "the own key files, which ReloadSecurity reads anew; {id} is the own "
       "id"},
      {"security.peers", FormKey{"folder, or folders by id"}, kBoth, kLive,
       "the peers' public files, which ReloadSecurity reads anew"},
      {"allow_plaintext", FlagKey{&C::allow_plaintext}, kBoth, kNotLive,
       "lets a server without security listen where other machines reach it"},
  };
}

std::string Quoted(absl::string_view text) {
  return absl::StrCat("\"", text, "\"");
}

struct Allowed {
  std::string operator()(const TextKey& key) const {
    return absl::StrCat("1 to ", key.bytes_max, " bytes");
  }
  std::string operator()(const SizeKey& key) const {
    return absl::StrCat(key.least, " to ", key.most);
  }
  std::string operator()(const TimeKey& key) const {
    return absl::StrCat(key.least_ms, " to ", key.most_ms);
  }
  std::string operator()(const FlagKey&) const { return "true or false"; }
  std::string operator()(const WordKey& key) const { return AllowedOf(key); }
  std::string operator()(const FormKey& key) const { return key.form; }
};

struct ValueOf {
  std::string operator()(const TextKey& key) const {
    return Quoted(config.*key.field);
  }
  std::string operator()(const SizeKey& key) const {
    return absl::StrCat(config.*key.field);
  }
  std::string operator()(const TimeKey& key) const {
    return absl::StrCat(absl::ToDoubleMilliseconds(config.*key.field));
  }
  std::string operator()(const FlagKey& key) const {
    return config.*key.field ? "true" : "false";
  }
  std::string operator()(const WordKey& key) const {
    const int value = key.get(config);
    for (const WordKey::Word& word : key.words)
      if (word.value == value) return Quoted(word.text);
    return absl::StrCat("the value ", value);
  }
  std::string operator()(const FormKey&) const { return ""; }

  const Config& config;
};

}  // namespace

const std::vector<ConfigKey>& ConfigKeys() {
  static const auto& keys = *new std::vector<ConfigKey>(MakeKeys());
  return keys;
}

const ConfigKey* FindConfigKey(absl::string_view name) {
  for (const ConfigKey& key : ConfigKeys())
    if (name == key.name) return &key;
  return nullptr;
}

std::vector<std::string> KeyNamesIn(absl::string_view object) {
  const std::string prefix =
      object.empty() ? std::string() : absl::StrCat(object, ".");
  std::vector<std::string> names;
  for (const ConfigKey& key : ConfigKeys()) {
    const absl::string_view name = key.name;
    if (!absl::StartsWith(name, prefix)) continue;
    const absl::string_view rest = name.substr(prefix.size());
    if (!absl::StrContains(rest, '.')) names.emplace_back(rest);
  }
  return names;
}

std::string AllowedOf(const ConfigKey& key) {
  return absl::visit(Allowed{}, key.value);
}

std::string AllowedOf(const WordKey& key) {
  return absl::StrJoin(key.words, " or ",
                       [](std::string* out, const WordKey::Word& word) {
                         absl::StrAppend(out, "\"", word.text, "\"");
                       });
}

std::string ValueIn(const Config& config, const ConfigKey& key) {
  return absl::visit(ValueOf{config}, key.value);
}

std::string ListConfigKeys() {
  std::string list;
  const Config defaults;
  for (const ConfigKey& key : ConfigKeys()) {
    const std::string value = ValueIn(defaults, key);
    absl::StrAppend(&list, key.name, ": ", AllowedOf(key),
                    value.empty() ? "" : absl::StrCat(" (", value, ")"),
                    key.scope == kReliable ? "; reliable delivery only" : "",
                    key.live == kLive ? "; live" : "", "\n    ", key.help,
                    "\n");
  }
  for (const TransportFacts& facts : kTransports) {
    absl::StrAppend(&list, facts.name,
                    ": object\n    options of that transport\n");
  }
  return list;
}

}  // namespace cluster::internal
