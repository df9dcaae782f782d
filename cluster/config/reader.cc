// ParseConfig: a Config out of a JSON tree, strictly.

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "cluster/base/known_words.h"
#include "cluster/config.h"
#include "cluster/config/check.h"
#include "cluster/config/keys.h"
#include "cluster/config/positioned_json.h"
#include "cluster/envelope.h"
#include "cluster/transport/options.h"
#include "cluster/transport/transport_facts.h"

namespace cluster::internal {
namespace {

bool Contains(const std::vector<std::string>& words, absl::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// The key that a word of other configs means here, or the word itself.
absl::string_view Meant(absl::string_view word) {
  constexpr std::pair<const char*, const char*> kMeanings[] = {
      {"host", "address"},  {"hostname", "address"}, {"ip", "address"},
      {"port", "address"},  {"endpoint", "address"}, {"url", "address"},
      {"bind", "listen"},   {"nodes", "servers"},    {"members", "servers"},
      {"peers", "servers"}, {"tls", "security"},     {"backend", "transport"},
  };
  for (const auto& [other, key] : kMeanings)
    if (absl::EqualsIgnoreCase(word, other)) return key;
  return word;
}

// Walks the tree once. The first mistake ends it: nothing unknown, repeated or
// of the wrong type passes. CheckConfig does the checks that a Config made by
// hand needs as well.
class ConfigReader {
 public:
  ConfigReader(absl::string_view origin, const JsonValue& root) : root_(root) {
    config_.origin = std::string(origin);
    places_.origin = std::string(origin);
    places_.lines.emplace("$", root.line);
  }

  absl::Status Read() {
    if (root_.type != JsonType::kObject) return Wrong("$", root_, "an object");
    absl::Status status = NoteMembers("$", root_);
    if (!status.ok()) return status;
    for (const JsonMember& member : root_.members) {
      status = ReadMember(MemberPath("$", member.key), member);
      if (!status.ok()) return status;
      config_.lines.emplace(member.key, member.line);
    }
    NoteServers();
    ImplyGoDialect();
    status.Update(CheckForm());
    status.Update(CheckDeliveryKeys());
    return status;
  }

  Config& config() { return config_; }
  const ConfigPlaces& places() const { return places_; }

 private:
  // Each of these reads the value at `path`, whose line is noted already.

  absl::Status ReadMember(const std::string& path, const JsonMember& member) {
    // No name of a member of an object ("security.mode") is a key up here.
    const ConfigKey* const key = absl::StrContains(member.key, '.')
                                     ? nullptr
                                     : FindConfigKey(member.key);
    if (key != nullptr) return ReadKey(path, *key, member.value);
    if (IsOptionsKey(member.key)) return ReadOptions(path, member);
    std::vector<std::string> known = KeyNamesIn("");
    for (const TransportFacts& facts : kTransports)
      known.emplace_back(facts.name);
    return Unknown(path, member.key, known);
  }

  absl::Status ReadKey(const std::string& path, const ConfigKey& key,
                       const JsonValue& value) {
    return std::visit([&](const auto& kind) { return Read(path, kind, value); },
                      key.value);
  }

  absl::Status Read(const std::string& path, const TextKey& key,
                    const JsonValue& value) {
    return ReadString(path, value, &(config_.*key.field));
  }

  absl::Status Read(const std::string& path, const SizeKey& key,
                    const JsonValue& value) {
    std::uint64_t number = 0;
    absl::Status status =
        ReadInteger(path, value, key.least, key.most, &number);
    config_.*key.field = number;
    return status;
  }

  absl::Status Read(const std::string& path, const TimeKey& key,
                    const JsonValue& value) {
    std::uint64_t number = 0;
    absl::Status status =
        ReadInteger(path, value, static_cast<std::uint64_t>(key.least_ms),
                    static_cast<std::uint64_t>(key.most_ms), &number);
    config_.*key.field = absl::Milliseconds(number);
    return status;
  }

  absl::Status Read(const std::string& path, const FlagKey& key,
                    const JsonValue& value) {
    if (value.type != JsonType::kBool)
      return Wrong(path, value, "true or false");
    config_.*key.field = value.boolean;
    return absl::OkStatus();
  }

  absl::Status Read(const std::string& path, const WordKey& key,
                    const JsonValue& value) {
    for (const WordKey::Word& word : key.words) {
      if (value.type != JsonType::kString || value.text != word.text) continue;
      key.set(word.value, &config_);
      return absl::OkStatus();
    }
    return Wrong(path, value, AllowedOf(key));
  }

  absl::Status Read(const std::string& path, const FormKey&,
                    const JsonValue& value) {
    if (path == "$.security") return ReadSecurity(path, value);
    if (path == "$.admin") return ReadAdmin(path, value);
    return ReadServers(path, value);
  }

  absl::Status ReadOptions(const std::string& path, const JsonMember& member) {
    absl::Status status = ReadObject(path, member.value);
    if (!status.ok()) return status;
    TransportOptions& options = config_.transport_options[member.key];
    options.origin = places_.Place(path);
    for (const JsonMember& option : member.value.members) {
      status = ReadOption(MemberPath(path, option.key), option.value,
                          &options.values[option.key]);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status ReadOption(const std::string& path, const JsonValue& value,
                          OptionValue* out) {
    switch (value.type) {
      case JsonType::kBool:
        *out = value.boolean;
        return absl::OkStatus();
      case JsonType::kInt:
        *out = value.int64;
        return absl::OkStatus();
      case JsonType::kDouble:
        *out = value.number;
        return absl::OkStatus();
      case JsonType::kString:
        return ReadString(path, value, &out->emplace<std::string>());
      case JsonType::kUint:
        return Wrong(path, value,
                     absl::StrCat("an integer of at most ",
                                  std::numeric_limits<std::int64_t>::max()));
      default:
        return Wrong(path, value, "a boolean, a number or a string");
    }
  }

  // The lists of servers, in this library's form and in the Go library's.
  absl::Status ReadServers(const std::string& path, const JsonValue& list) {
    const bool go_form = path == "$.Server";
    if (go_form) places_.UseGoForm();
    if (list.type != JsonType::kArray) return Wrong(path, list, "an array");
    if (list.items.size() > kServersMax) {
      return places_.Error(path,
                           absl::StrCat("found ", list.items.size(),
                                        " servers, want 1 to ", kServersMax));
    }
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      const std::string item_path = ItemPath(path, i);
      const JsonValue& item = list.items[i];
      places_.lines.emplace(item_path, item.line);
      absl::Status status =
          go_form ? ReadGoServer(item_path, item) : ReadServer(item_path, item);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status ReadServer(const std::string& path, const JsonValue& value) {
    absl::Status status = ReadObject(path, value, KeyNamesIn("servers"));
    if (!status.ok()) return status;
    ServerAddress server;
    std::uint64_t id = 0;
    for (const JsonMember& member : value.members) {
      const std::string member_path = MemberPath(path, member.key);
      if (member.key == "id") {
        status = ReadInteger(member_path, member.value, 0, kServerIdMax, &id);
      } else if (member.key == "address") {
        status = ReadString(member_path, member.value, &server.address);
      } else {
        std::string& field =
            member.key == "admin" ? server.admin : server.listen;
        status = ReadString(member_path, member.value, &field);
        if (status.ok())
          status = CheckText(places_, member_path, field, kAddressBytesMax);
      }
      if (!status.ok()) return status;
    }
    server.id = static_cast<int>(id);
    config_.servers.push_back(std::move(server));
    return CheckBothKeys(path, value, "id", "address");
  }

  absl::Status ReadGoServer(const std::string& path, const JsonValue& value) {
    absl::Status status = ReadObject(path, value, KeyNamesIn("Server"));
    if (!status.ok()) return status;
    std::uint64_t id = 0;
    std::uint64_t port = 0;
    for (const JsonMember& member : value.members) {
      const bool is_id = member.key == "Server_Id";
      status = ReadInteger(MemberPath(path, member.key), member.value, 0,
                           is_id ? kServerIdMax : 65535, is_id ? &id : &port);
      if (!status.ok()) return status;
    }
    config_.servers.push_back(
        ServerAddress{static_cast<int>(id), absl::StrCat("127.0.0.1:", port)});
    return CheckBothKeys(path, value, "Server_Id", "Port_Num");
  }

  absl::Status CheckBothKeys(const std::string& path, const JsonValue& object,
                             absl::string_view first,
                             absl::string_view second) const {
    for (absl::string_view key : {first, second}) {
      if (Find(object, key) != nullptr) continue;
      return places_.Error(
          path, absl::StrCat("found no \"", key, "\", want \"", first,
                             "\" and \"", second, "\""));
    }
    return absl::OkStatus();
  }

  absl::Status ReadAdmin(const std::string& path, const JsonValue& value) {
    absl::Status status = ReadObject(path, value, KeyNamesIn("admin"));
    for (const JsonMember& member : value.members) {
      if (!status.ok()) return status;
      std::string& field = member.key == "token_file" ? config_.admin.token_file
                           : member.key == "key"      ? config_.admin.key
                                                 : config_.admin.certificate;
      const std::string member_path = MemberPath(path, member.key);
      status = ReadString(member_path, member.value, &field);
      if (status.ok())
        status = CheckText(places_, member_path, field, kOptionBytesMax);
    }
    return status;
  }

  absl::Status ReadSecurity(const std::string& path, const JsonValue& value) {
    absl::Status status = ReadObject(path, value, KeyNamesIn("security"));
    if (!status.ok()) return status;
    SecurityConfig& security = config_.security;
    for (const JsonMember& member : value.members) {
      const std::string member_path = MemberPath(path, member.key);
      if (member.key == "mode" || member.key == "reload") {
        status = ReadKey(member_path,
                         *FindConfigKey(absl::StrCat("security.", member.key)),
                         member.value);
      } else if (member.key == "identity") {
        status = ReadFolder(member_path, member.value, &security.identity);
      } else if (member.value.type == JsonType::kObject) {
        status = ReadPeerFolders(member_path, member.value);
      } else {
        status = ReadFolder(member_path, member.value, &security.peers);
      }
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status ReadFolder(const std::string& path, const JsonValue& value,
                          std::string* out) {
    absl::Status status = ReadString(path, value, out);
    if (!status.ok()) return status;
    if (out->empty() || absl::StrContains(*out, '\0'))
      return Wrong(path, value, "the path of a folder");
    return absl::OkStatus();
  }

  absl::Status ReadPeerFolders(const std::string& path,
                               const JsonValue& value) {
    absl::Status status = NoteMembers(path, value);
    if (!status.ok()) return status;
    if (value.members.empty())
      return Wrong(path, value, "at least one server's folder");
    for (const JsonMember& member : value.members) {
      const std::string member_path = MemberPath(path, member.key);
      const absl::optional<int> id = ServerIdOf(member.key);
      if (!id) {
        return places_.Error(
            member_path,
            absl::StrCat("found the key, want a server id from 0 to ",
                         kServerIdMax, ", as in {\"2\": \"keys/public/2\"}"));
      }
      status = ReadFolder(member_path, member.value,
                          &config_.security.peer_folders[*id]);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status ReadString(const std::string& path, const JsonValue& value,
                          std::string* out) {
    if (value.type != JsonType::kString) return Wrong(path, value, "a string");
    if (value.text.size() > kOptionBytesMax) {
      return Wrong(
          path, value,
          absl::StrCat("a string of at most ", kOptionBytesMax, " bytes"));
    }
    *out = value.text;
    return absl::OkStatus();
  }

  absl::Status ReadInteger(const std::string& path, const JsonValue& value,
                           std::uint64_t least, std::uint64_t most,
                           std::uint64_t* out) {
    const bool natural = value.type == JsonType::kUint ||
                         (value.type == JsonType::kInt && value.int64 >= 0);
    if (!natural || value.uint64 < least || value.uint64 > most) {
      return Wrong(path, value,
                   absl::StrCat("an integer from ", least, " to ", most));
    }
    *out = value.uint64;
    return absl::OkStatus();
  }

  absl::Status ReadObject(const std::string& path, const JsonValue& value,
                          const std::vector<std::string>& known = {}) {
    return value.type == JsonType::kObject ? NoteMembers(path, value, known)
                                           : Wrong(path, value, "an object");
  }

  // Notes the line of each member, refuses repeated ones, and (unless `known`
  // is empty) unknown ones.
  absl::Status NoteMembers(const std::string& path, const JsonValue& object,
                           const std::vector<std::string>& known = {}) {
    for (const JsonMember& member : object.members) {
      const std::string member_path = MemberPath(path, member.key);
      const auto [first, is_new] =
          places_.lines.emplace(member_path, member.line);
      if (!is_new) {
        return absl::InvalidArgumentError(
            absl::StrCat(places_.origin, ":", member.line, ": ", member_path,
                         ": found the key twice, first in line ", first->second,
                         ", want it once"));
      }
      if (!known.empty() && !Contains(known, member.key))
        return Unknown(member_path, member.key, known);
    }
    return absl::OkStatus();
  }

  // For errors that come later.
  void NoteServers() {
    const std::string items = absl::StrCat(places_.servers_path, "[");
    for (auto place = places_.lines.lower_bound(items);
         place != places_.lines.end() && absl::StartsWith(place->first, items);
         ++place) {
      config_.lines.emplace(place->first.substr(2), place->second);
    }
  }

  absl::Status CheckForm() const {
    const bool servers = Find(root_, "servers") != nullptr;
    const bool go_form = Find(root_, "Server") != nullptr;
    if (servers && go_form) {
      return places_.Error(
          "$.Server", "found together with \"servers\", want one of the two");
    }
    if (servers || go_form) return absl::OkStatus();
    return places_.Error("$",
                         "found no \"servers\", want a list such as "
                         "[{\"id\": 1, \"address\": \"127.0.0.1:10001\"}]");
  }

  // Go programs that read the same file talk so, and not otherwise.
  void ImplyGoDialect() {
    const auto lacks = [this](absl::string_view key) {
      return Find(root_, key) == nullptr;
    };
    if (lacks("Server")) return;
    if (lacks("delivery")) config_.delivery = Delivery::kBestEffort;
    if (lacks("codec")) config_.codec = "json";
    if (lacks("json_dialect") && MayHaveGoDialect(config_))
      config_.json_dialect = JsonDialect::kGo;
  }

  absl::Status CheckDeliveryKeys() const {
    if (config_.delivery != Delivery::kBestEffort) return absl::OkStatus();
    for (const JsonMember& member : root_.members) {
      const ConfigKey* const key = FindConfigKey(member.key);
      if (key != nullptr && key->reliable_only)
        return ReliableOnlyError(places_, key->name);
    }
    return absl::OkStatus();
  }

  absl::Status Unknown(const std::string& path, absl::string_view key,
                       const std::vector<std::string>& known) const {
    return places_.Error(
        path,
        absl::StrCat(
            "unknown key",
            KnownWords(Contains(known, Meant(key)) ? Meant(key) : key, known)));
  }

  absl::Status Wrong(const std::string& path, const JsonValue& value,
                     absl::string_view want) const {
    return places_.Error(
        path, absl::StrCat("found ", Describe(value), ", want ", want));
  }

  static const JsonValue* Find(const JsonValue& object, absl::string_view key) {
    for (const JsonMember& member : object.members)
      if (member.key == key) return &member.value;
    return nullptr;
  }

  bool IsOptionsKey(absl::string_view key) const {
    // A stranger's transport has its object too, under the name of its choice.
    const JsonValue* const transport = Find(root_, "transport");
    return FindTransportFacts(key) != nullptr ||
           (transport != nullptr && transport->type == JsonType::kString &&
            transport->text == key);
  }

  const JsonValue& root_;
  Config config_;
  ConfigPlaces places_;
};

}  // namespace
}  // namespace cluster::internal

namespace cluster {

absl::StatusOr<Config> ParseConfig(absl::string_view text,
                                   absl::string_view origin) {
  const absl::StatusOr<internal::JsonValue> root =
      internal::ParsePositionedJson(text, origin);
  if (!root.ok()) return root.status();
  internal::ConfigReader reader(origin, *root);
  absl::Status status = reader.Read();
  if (status.ok())
    status = internal::CheckConfig(reader.config(), reader.places());
  if (!status.ok()) return status;
  return std::move(reader.config());
}

}  // namespace cluster
