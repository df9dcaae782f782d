// The "security" object.

#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cluster/config/limits.h"
#include "cluster/config/reader.h"
#include "cluster/envelope.h"

namespace cluster::internal {

absl::Status ConfigReader::ReadSecurity(const std::string& path,
                                        const JsonValue& value) {
  if (value.type != JsonType::kObject) return Wrong(path, value, "an object");
  absl::Status status = NoteMembers(path, value, KeyNamesIn("security"));
  if (!status.ok()) return status;
  SecurityConfig& security = config_.security;
  for (const JsonMember& member : value.members) {
    const std::string member_path = MemberPath(path, member.key.text);
    if (member.key.text == "mode") {
      status =
          ReadKey(member_path, *FindConfigKey("security.mode"), member.value);
    } else if (member.key.text == "identity") {
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

absl::Status ConfigReader::ReadFolder(const std::string& path,
                                      const JsonValue& value,
                                      std::string* out) {
  absl::Status status = ReadString(path, value, out);
  if (!status.ok()) return status;
  if (out->empty() || out->find('\0') != std::string::npos)
    return Wrong(path, value, "the path of a folder");
  return absl::OkStatus();
}

absl::Status ConfigReader::ReadPeerFolders(const std::string& path,
                                           const JsonValue& value) {
  absl::Status status = NoteMembers(path, value, {});
  if (!status.ok()) return status;
  if (value.members.empty())
    return Wrong(path, value, "at least one server's folder");
  for (const JsonMember& member : value.members) {
    const std::string& key = member.key.text;
    const std::string member_path = MemberPath(path, key);
    int id = 0;
    if (!absl::SimpleAtoi(key, &id) || id < 0 || absl::StrCat(id) != key) {
      return places_.Error(
          member_path,
          absl::StrCat("found the key, want a server id from 0 to ",
                       kServerIdMax, ", as in {\"2\": \"keys/public/2\"}"));
    }
    status = ReadFolder(member_path, member.value,
                        &config_.security.peer_folders[id]);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace cluster::internal
