// The lists of servers, in this library's form and in that of the Go library.

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/config/limits.h"
#include "cluster/config/reader.h"
#include "cluster/envelope.h"

namespace cluster::internal {

absl::Status ConfigReader::ReadServers(const std::string& path,
                                       const JsonValue& list) {
  const bool go_form = path == "$.Server";
  if (go_form) places_.UseGoForm();
  if (list.type != JsonType::kArray) return Wrong(path, list, "an array");
  if (list.items.size() > kServersMax) {
    return places_.Error(
        path, absl::StrCat("found ", list.items.size(), " servers, want 1 to ",
                           kServersMax));
  }
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    const std::string item_path = ItemPath(path, i);
    const JsonValue& item = list.items[i];
    places_.lines.emplace(item_path, item.line);
    if (item.type != JsonType::kObject)
      return Wrong(item_path, item, "an object");
    absl::Status status =
        go_form ? ReadGoServer(item_path, item) : ReadServer(item_path, item);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ConfigReader::ReadServer(const std::string& path,
                                      const JsonValue& value) {
  absl::Status status = NoteMembers(path, value, KeyNamesIn("servers"));
  if (!status.ok()) return status;
  ServerAddress server;
  std::uint64_t id = 0;
  for (const JsonMember& member : value.members) {
    const std::string member_path = MemberPath(path, member.key.text);
    if (member.key.text == "id") {
      status = ReadInteger(member_path, member.value, 0, kServerIdMax, &id);
    } else if (member.key.text == "address") {
      status = ReadString(member_path, member.value, &server.address);
    } else {
      status = ReadString(member_path, member.value, &server.listen);
      if (status.ok())
        status =
            CheckText(places_, member_path, server.listen, kAddressBytesMax);
    }
    if (!status.ok()) return status;
  }
  server.id = static_cast<int>(id);
  config_.servers.push_back(std::move(server));
  return CheckBothKeys(path, value, "id", "address");
}

absl::Status ConfigReader::ReadGoServer(const std::string& path,
                                        const JsonValue& value) {
  absl::Status status = NoteMembers(path, value, KeyNamesIn("Server"));
  if (!status.ok()) return status;
  std::uint64_t id = 0;
  std::uint64_t port = 0;
  for (const JsonMember& member : value.members) {
    const std::string member_path = MemberPath(path, member.key.text);
    status = member.key.text == "Server_Id"
                 ? ReadInteger(member_path, member.value, 0, kServerIdMax, &id)
                 : ReadInteger(member_path, member.value, 0, 65535, &port);
    if (!status.ok()) return status;
  }
  config_.servers.push_back(
      ServerAddress{static_cast<int>(id), absl::StrCat("127.0.0.1:", port)});
  return CheckBothKeys(path, value, "Server_Id", "Port_Num");
}

absl::Status ConfigReader::CheckBothKeys(const std::string& path,
                                         const JsonValue& object,
                                         absl::string_view first,
                                         absl::string_view second) const {
  for (absl::string_view key : {first, second}) {
    bool found = false;
    for (const JsonMember& member : object.members)
      found |= member.key.text == key;
    if (found) continue;
    return places_.Error(path, absl::StrCat("found no \"", key, "\", want \"",
                                            first, "\" and \"", second, "\""));
  }
  return absl::OkStatus();
}

}  // namespace cluster::internal
