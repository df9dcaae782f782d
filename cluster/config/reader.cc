#include "cluster/config/reader.h"

#include <algorithm>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "cluster/config/limits.h"
#include "cluster/envelope.h"
#include "cluster/transport/options.h"
#include "cluster/transport/transport_facts.h"

namespace cluster::internal {
namespace {

// At the top level: those of the library, and the objects of its transports.
std::vector<std::string> KnownKeys() {
  std::vector<std::string> names = KeyNamesIn("");
  for (const TransportFacts& facts : kTransports)
    names.emplace_back(facts.name);
  return names;
}

bool Contains(const std::vector<std::string>& words, absl::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

ConfigReader::ConfigReader(absl::string_view origin, const JsonValue& root)
    : root_(root) {
  config_.origin = std::string(origin);
  places_.origin = std::string(origin);
  places_.lines.emplace("$", root.line);
}

absl::Status ConfigReader::Read() {
  if (root_.type != JsonType::kObject) return Wrong("$", root_, "an object");
  absl::Status status = NoteMembers("$", root_, {});
  if (!status.ok()) return status;
  for (const JsonMember& member : root_.members) {
    status = ReadMember(MemberPath("$", member.key.text), member);
    if (!status.ok()) return status;
    config_.lines.emplace(member.key.text, member.key.line);
  }
  status.Update(CheckForm());
  status.Update(CheckDeliveryKeys());
  return status;
}

absl::Status ConfigReader::ReadMember(const std::string& path,
                                      const JsonMember& member) {
  const std::string& name = member.key.text;
  // No name of a member of an object ("security.mode") is a key up here.
  const ConfigKey* const key =
      absl::StrContains(name, '.') ? nullptr : FindConfigKey(name);
  if (key != nullptr) return ReadKey(path, *key, member.value);
  if (IsOptionsKey(name)) return ReadOptions(path, member);
  return Unknown(path, name, KnownKeys());
}

absl::Status ConfigReader::ReadKey(const std::string& path,
                                   const ConfigKey& key,
                                   const JsonValue& value) {
  return absl::visit([&](const auto& kind) { return Read(path, kind, value); },
                     key.value);
}

absl::Status ConfigReader::Read(const std::string& path, const TextKey& key,
                                const JsonValue& value) {
  return ReadString(path, value, &(config_.*key.field));
}

absl::Status ConfigReader::Read(const std::string& path, const SizeKey& key,
                                const JsonValue& value) {
  std::uint64_t number = 0;
  absl::Status status = ReadInteger(path, value, key.least, key.most, &number);
  config_.*key.field = number;
  return status;
}

absl::Status ConfigReader::Read(const std::string& path, const TimeKey& key,
                                const JsonValue& value) {
  std::uint64_t number = 0;
  absl::Status status =
      ReadInteger(path, value, static_cast<std::uint64_t>(key.least_ms),
                  static_cast<std::uint64_t>(key.most_ms), &number);
  config_.*key.field = absl::Milliseconds(number);
  return status;
}

absl::Status ConfigReader::Read(const std::string& path, const FlagKey& key,
                                const JsonValue& value) {
  if (value.type != JsonType::kBool) return Wrong(path, value, "true or false");
  config_.*key.field = value.boolean;
  return absl::OkStatus();
}

absl::Status ConfigReader::Read(const std::string& path, const WordKey& key,
                                const JsonValue& value) {
  for (const WordKey::Word& word : key.words) {
    if (value.type != JsonType::kString || value.text != word.text) continue;
    key.set(word.value, &config_);
    return absl::OkStatus();
  }
  return Wrong(path, value, AllowedOf(key));
}

absl::Status ConfigReader::Read(const std::string& path, const FormKey&,
                                const JsonValue& value) {
  return path == "$.security" ? ReadSecurity(path, value)
                              : ReadServers(path, value);
}

bool ConfigReader::IsOptionsKey(absl::string_view key) const {
  // A stranger's transport has its object too, under the name it is chosen by.
  const JsonValue* transport = Find("transport");
  return FindTransportFacts(key) != nullptr ||
         (transport != nullptr && transport->type == JsonType::kString &&
          transport->text == key);
}

absl::Status ConfigReader::ReadOptions(const std::string& path,
                                       const JsonMember& member) {
  if (member.value.type != JsonType::kObject)
    return Wrong(path, member.value, "an object");
  absl::Status status = NoteMembers(path, member.value, {});
  if (!status.ok()) return status;
  TransportOptions& options = config_.transport_options[member.key.text];
  options.origin = places_.Place(path);
  for (const JsonMember& option : member.value.members) {
    const std::string option_path = MemberPath(path, option.key.text);
    OptionValue& out = options.values[option.key.text];
    switch (option.value.type) {
      case JsonType::kBool:
        out = option.value.boolean;
        break;
      case JsonType::kInt:
        out = option.value.int64;
        break;
      case JsonType::kDouble:
        out = option.value.number;
        break;
      case JsonType::kString: {
        std::string text;
        status = ReadString(option_path, option.value, &text);
        if (!status.ok()) return status;
        out = std::move(text);
        break;
      }
      case JsonType::kUint:
        return Wrong(option_path, option.value,
                     absl::StrCat("an integer of at most ",
                                  std::numeric_limits<std::int64_t>::max()));
      default:
        return Wrong(option_path, option.value,
                     "a boolean, a number or a string");
    }
  }
  return absl::OkStatus();
}

absl::Status ConfigReader::ReadString(const std::string& path,
                                      const JsonValue& value,
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

absl::Status ConfigReader::ReadInteger(const std::string& path,
                                       const JsonValue& value,
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

absl::Status ConfigReader::NoteMembers(const std::string& path,
                                       const JsonValue& object,
                                       const std::vector<std::string>& known) {
  for (const JsonMember& member : object.members) {
    const std::string member_path = MemberPath(path, member.key.text);
    const auto [first, is_new] =
        places_.lines.emplace(member_path, member.key.line);
    if (!is_new) {
      return absl::InvalidArgumentError(
          absl::StrCat(places_.origin, ":", member.key.line, ": ", member_path,
                       ": found the key twice, first in line ", first->second,
                       ", want it once"));
    }
    if (!known.empty() && !Contains(known, member.key.text))
      return Unknown(member_path, member.key.text, known);
  }
  return absl::OkStatus();
}

absl::Status ConfigReader::CheckForm() {
  const bool servers = Find("servers") != nullptr;
  const bool seed = Find("Server") != nullptr;
  if (servers && seed) {
    return places_.Error(
        "$.Server", "found together with \"servers\", want one of the two");
  }
  if (servers || seed) return absl::OkStatus();
  return places_.Error("$",
                       "found no \"servers\", want a list such as "
                       "[{\"id\": 1, \"address\": \"127.0.0.1:10001\"}]");
}

absl::Status ConfigReader::CheckDeliveryKeys() {
  if (config_.delivery != Delivery::kBestEffort) return absl::OkStatus();
  for (const JsonMember& member : root_.members) {
    const ConfigKey* const key = FindConfigKey(member.key.text);
    if (key != nullptr && key->scope == KeyScope::kReliable)
      return ReliableOnlyError(places_, key->name);
  }
  return absl::OkStatus();
}

absl::Status ConfigReader::Unknown(
    const std::string& path, absl::string_view key,
    const std::vector<std::string>& known) const {
  const std::string nearest =
      key.size() <= kBackendNameBytesMax ? NearestWord(key, known) : "";
  return places_.Error(
      path, absl::StrCat("unknown key",
                         nearest.empty() ? ""
                                         : absl::StrCat("; did you mean \"",
                                                        nearest, "\"?"),
                         "; known: ", absl::StrJoin(known, ", ")));
}

absl::Status ConfigReader::Wrong(const std::string& path,
                                 const JsonValue& value,
                                 absl::string_view want) const {
  return places_.Error(
      path, absl::StrCat("found ", Describe(value), ", want ", want));
}

const JsonValue* ConfigReader::Find(absl::string_view key) const {
  for (const JsonMember& member : root_.members)
    if (member.key.text == key) return &member.value;
  return nullptr;
}

}  // namespace cluster::internal
