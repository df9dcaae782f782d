#include "cluster/config/reader.h"

#include <algorithm>
#include <iterator>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "cluster/config/limits.h"
#include "cluster/envelope.h"
#include "cluster/transport/options.h"

namespace cluster {
namespace {

constexpr const char* kBackends[] = {"memory", "nng", "zmq"};

const std::vector<std::string>& KnownKeys() {
  static const auto* const kKeys = [] {
    auto* keys = new std::vector<std::string>{
        "cluster",  "transport",       "codec",    "delivery",        "servers",
        "overflow", "on_peer_restart", "security", "allow_plaintext", "Server"};
    for (const SizeLimit& limit : kSizeLimits) keys->push_back(limit.key);
    for (const TimeLimit& limit : kTimeLimits) keys->push_back(limit.key);
    keys->insert(keys->end(), std::begin(kBackends), std::end(kBackends));
    return keys;
  }();
  return *kKeys;
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
  const std::string& key = member.key.text;
  const JsonValue& value = member.value;
  if (key == "cluster") return ReadString(path, value, &config_.cluster);
  if (key == "transport") return ReadString(path, value, &config_.transport);
  if (key == "codec") return ReadString(path, value, &config_.codec);
  if (key == "servers" || key == "Server") return ReadServers(path, value);
  if (key == "security") return ReadSecurity(path, value);
  if (key == "allow_plaintext")
    return ReadBool(path, value, &config_.allow_plaintext);
  if (key == "delivery") {
    return ReadWord(path, value,
                    Words<Delivery>{{"reliable", Delivery::kReliable},
                                    {"best_effort", Delivery::kBestEffort}},
                    &config_.delivery);
  }
  if (key == "overflow") {
    return ReadWord(path, value,
                    Words<Overflow>{{"reject", Overflow::kReject},
                                    {"drop_oldest", Overflow::kDropOldest}},
                    &config_.overflow);
  }
  if (key == "on_peer_restart") {
    return ReadWord(path, value,
                    Words<OnPeerRestart>{{"resend", OnPeerRestart::kResend},
                                         {"drop", OnPeerRestart::kDrop}},
                    &config_.on_peer_restart);
  }
  return ReadOtherKey(path, member);
}

absl::Status ConfigReader::ReadOtherKey(const std::string& path,
                                        const JsonMember& member) {
  bool known = false;
  absl::Status status = ReadNumberKey(path, member, &known);
  if (known) return status;
  if (IsOptionsKey(member.key.text)) return ReadOptions(path, member);
  return Unknown(path, member.key.text, KnownKeys());
}

absl::Status ConfigReader::ReadNumberKey(const std::string& path,
                                         const JsonMember& member,
                                         bool* known) {
  std::uint64_t number = 0;
  for (const SizeLimit& limit : kSizeLimits) {
    if (member.key.text != limit.key) continue;
    *known = true;
    absl::Status status =
        ReadInteger(path, member.value, limit.least, limit.most, &number);
    config_.*limit.field = number;
    return status;
  }
  for (const TimeLimit& limit : kTimeLimits) {
    if (member.key.text != limit.key) continue;
    *known = true;
    absl::Status status = ReadInteger(
        path, member.value, static_cast<std::uint64_t>(limit.least_ms),
        static_cast<std::uint64_t>(limit.most_ms), &number);
    config_.*limit.field = absl::Milliseconds(number);
    return status;
  }
  return absl::OkStatus();
}

bool ConfigReader::IsOptionsKey(absl::string_view key) const {
  const bool ours = std::find(std::begin(kBackends), std::end(kBackends),
                              key) != std::end(kBackends);
  // A stranger's transport has its object too, under the name it is chosen by.
  const JsonValue* transport = Find("transport");
  return ours ||
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

template <typename Meaning>
absl::Status ConfigReader::ReadWord(const std::string& path,
                                    const JsonValue& value,
                                    const Words<Meaning>& words, Meaning* out) {
  std::vector<std::string> allowed;
  for (const auto& [word, meaning] : words) {
    if (value.type == JsonType::kString && value.text == word) {
      *out = meaning;
      return absl::OkStatus();
    }
    allowed.push_back(absl::StrCat("\"", word, "\""));
  }
  return Wrong(path, value, absl::StrJoin(allowed, " or "));
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
    const std::string& key = member.key.text;
    bool reliable_only = key == "overflow" || key == "on_peer_restart";
    for (const SizeLimit& limit : kSizeLimits)
      reliable_only |= key == limit.key && limit.scope == Scope::kReliable;
    for (const TimeLimit& limit : kTimeLimits)
      reliable_only |= key == limit.key && limit.scope == Scope::kReliable;
    if (reliable_only) return ReliableOnlyError(places_, key);
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

}  // namespace cluster
