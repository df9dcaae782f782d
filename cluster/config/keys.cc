#include "cluster/config/keys.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cluster/transport/transport_facts.h"

namespace cluster::internal {
namespace {

constexpr bool kReliableOnly = true;
constexpr bool kAnyDelivery = false;
constexpr bool kLive = true;

constexpr std::uint64_t kKiB = 1u << 10;
constexpr std::uint64_t kMiB = 1u << 20;
constexpr std::uint64_t kGiB = 1u << 30;
static_assert(sizeof(std::size_t) == 8, "byte limits go up to 1 TiB");
constexpr std::int64_t kMinuteMs = 60 * 1000;

// `field` is a member of Config, or returns a reference into one.
template <typename Enum, typename Field>
WordKey Words(Field field,
              std::initializer_list<std::pair<const char*, Enum>> words) {
  WordKey key;
  for (const auto& [text, value] : words)
    key.words.push_back({text, static_cast<int>(value)});
  key.get = [field](const Config& config) {
    return static_cast<int>(std::invoke(field, config));
  };
  key.set = [field](int value, Config* config) {
    std::invoke(field, *config) = static_cast<Enum>(value);
  };
  return key;
}

std::vector<ConfigKey> MakeKeys() {
  using Mode = SecurityConfig::Mode;
  using Reload = SecurityConfig::Reload;
  using C = Config;
  return {
      {"cluster", TextKey{&C::cluster, 255},
       "name of the cluster; servers of another name are refused"},
      {"transport", TextKey{&C::transport, 64},
       "how bytes travel: one of the transports whose objects are below"},
      {"codec", TextKey{&C::codec, 64},
       "how envelopes are written: binary, or json for people"},
      {"json_dialect",
       Words<JsonDialect>(&C::json_dialect, {{"cluster", JsonDialect::kCluster},
                                             {"go", JsonDialect::kGo}}),
       "go: as the Go library writes JSON; with json and best_effort only"},
      {"delivery",
       Words<Delivery>(&C::delivery, {{"reliable", Delivery::kReliable},
                                      {"best_effort", Delivery::kBestEffort}}),
       "best_effort: at most once, one envelope a message, nothing added"},
      {"servers", FormKey{"list of servers"},
       "the members of the cluster; live but for the own entry", kAnyDelivery,
       kLive},
      {"servers.id", FormKey{"0 to 2147483647"}, "the server's number",
       kAnyDelivery, kLive},
      {"servers.address", FormKey{"address"},
       "where the other servers reach it", kAnyDelivery, kLive},
      {"servers.listen", FormKey{"address"},
       "where it listens, if not at its address"},
      {"servers.admin", FormKey{"address"},
       "where its admin server is: its state over HTTP. Without, it has none"},
      {"Server", FormKey{"list of servers"},
       "instead of servers: the Go library's form, on 127.0.0.1. It implies "
       "best_effort, json and go, each unless the file has that key",
       kAnyDelivery, kLive},
      {"Server.Server_Id", FormKey{"0 to 2147483647"}, "the server's number",
       kAnyDelivery, kLive},
      {"Server.Port_Num", FormKey{"0 to 65535"}, "its port", kAnyDelivery,
       kLive},
      {"frame_bytes", SizeKey{&C::frame_bytes, 512, 4 * kMiB},
       "a frame leaves when it holds this much, or sooner if the session is "
       "idle",
       kReliableOnly},
      {"inflight_bytes", SizeKey{&C::inflight_bytes, 512, kGiB},
       "the most that is in transit to a peer; ordinary frames use half of it. "
       "On a line that holds more, it is twice what the line holds. It bounds "
       "what an urgent envelope waits for",
       kReliableOnly},
      {"window_bytes", SizeKey{&C::window_bytes, 512, kGiB},
       "received and not yet taken by the application, per peer",
       kReliableOnly},
      {"queue_bytes_max", SizeKey{&C::queue_bytes_max, 512, 64 * kGiB},
       "accepted and not yet transmitted, per peer", kReliableOnly, kLive},
      {"answer_bytes_reserved",
       SizeKey{&C::answer_bytes_reserved, 0, 64 * kGiB},
       "so much more of a full queue is for answers alone, per peer",
       kReliableOnly, kLive},
      {"payload_bytes_max", SizeKey{&C::payload_bytes_max, 1, kGiB},
       "of one envelope; large ones travel in chunks"},
      {"memory_bytes_max",
       SizeKey{&C::memory_bytes_max, 64 * kKiB, 1024 * kGiB},
       "what all peers' queues, windows and large payloads take together; at "
       "least ten times payload_bytes_max",
       kReliableOnly},
      {"inbox_bytes_max", SizeKey{&C::inbox_bytes_max, kKiB, 64 * kGiB},
       "unread envelopes that no window bounds: a server's own, and best "
       "effort",
       kAnyDelivery, kLive},
      {"overflow",
       Words<Overflow>(&C::overflow, {{"reject", Overflow::kReject},
                                      {"drop_oldest", Overflow::kDropOldest}}),
       "what a full queue does; drop_oldest: the oldest of the new envelope's "
       "lane goes, or of a less urgent one",
       kReliableOnly, kLive},
      {"on_peer_restart",
       Words<OnPeerRestart>(&C::on_peer_restart,
                            {{"resend", OnPeerRestart::kResend},
                             {"drop", OnPeerRestart::kDrop}}),
       "envelopes of unknown fate when a peer returns as a new process",
       kReliableOnly, kLive},
      {"heartbeat_ms", TimeKey{&C::heartbeat, 10, 10 * kMinuteMs},
       "how often an idle session shows that it lives", kReliableOnly, kLive},
      {"peer_timeout_ms", TimeKey{&C::peer_timeout, 20, 60 * kMinuteMs},
       "a peer that is silent for this long is down", kReliableOnly, kLive},
      {"handshake_timeout_ms",
       TimeKey{&C::handshake_timeout, 10, 10 * kMinuteMs},
       "a connection that does not complete its handshake by then is closed"},
      {"application_timeout_ms",
       TimeKey{&C::application_timeout, 0, 60 * kMinuteMs},
       "while its application stands still for so long, peers see this server "
       "as "
       "down; 0: never",
       kReliableOnly},
      {"linger_ms", TimeKey{&C::linger, 0, 10 * kMinuteMs},
       "how long Stop tries to deliver what was accepted", kAnyDelivery, kLive},
      {"slow_handler_ms", TimeKey{&C::slow_handler, 0, 10 * kMinuteMs},
       "a handler that runs for longer is counted and reported; 0: none is",
       kAnyDelivery, kLive},
      {"security", FormKey{"object"},
       "how servers prove who they are, and encrypt"},
      {"security.mode",
       Words<Mode>([](auto& config) -> auto& { return config.security.mode; },
                   {{"mutual", Mode::kMutual}, {"none", Mode::kNone}}),
       "mutual: both ends of each connection"},
      {"security.reload",
       Words<Reload>(
           [](auto& config) -> auto& { return config.security.reload; },
           {{"on_request", Reload::kOnRequest},
            {"on_change", Reload::kOnChange}}),
       "on_change: the key files are read anew when they change, not only by "
       "ReloadSecurity"},
      {"security.identity", FormKey{"folder"},
       "the own key files, which ReloadSecurity reads anew; {id} is the own "
       "id",
       kAnyDelivery, kLive},
      {"security.peers", FormKey{"folder, or folders by id"},
       "the peers' public files, which ReloadSecurity reads anew", kAnyDelivery,
       kLive},
      {"admin", FormKey{"object"},
       "the files of the admin servers; {id} is the server's id"},
      {"admin.token_file", FormKey{"file"},
       "the token that requests to them must carry, but for /healthz and "
       "/readyz"},
      {"admin.certificate", FormKey{"file"},
       "for HTTPS: the certificate, as keygen's tls.crt, which clusterctl "
       "pins"},
      {"admin.key", FormKey{"file"}, "its private key, as keygen's tls.key"},
      {"allow_plaintext", FlagKey{&C::allow_plaintext},
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
  return std::visit(Allowed{}, key.value);
}

std::string AllowedOf(const WordKey& key) {
  return absl::StrJoin(key.words, " or ",
                       [](std::string* out, const WordKey::Word& word) {
                         absl::StrAppend(out, "\"", word.text, "\"");
                       });
}

std::string ValueIn(const Config& config, const ConfigKey& key) {
  return std::visit(ValueOf{config}, key.value);
}

std::string ListConfigKeys() {
  std::string list;
  const Config defaults;
  for (const ConfigKey& key : ConfigKeys()) {
    const std::string value = ValueIn(defaults, key);
    absl::StrAppend(&list, key.name, ": ", AllowedOf(key),
                    value.empty() ? "" : absl::StrCat(" (", value, ")"),
                    key.reliable_only ? "; reliable delivery only" : "",
                    key.live ? "; live" : "", "\n    ", key.help, "\n");
  }
  for (const TransportFacts& facts : kTransports) {
    absl::StrAppend(&list, facts.name,
                    ": object\n    options of that transport\n");
  }
  return list;
}

}  // namespace cluster::internal
