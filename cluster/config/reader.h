// ConfigReader: a Config out of a JSON tree, strictly.
//
// One walk over the tree. The first mistake ends it; nothing unknown, repeated or
// of the wrong type passes. ParseConfig then makes the checks that a Config made
// by hand needs as well (check.h). One thread; use one once.
//
//   ConfigReader reader("a.json", root);
//   absl::Status status = reader.Read();
//   if (status.ok()) Use(reader.config(), reader.places());

#ifndef CLUSTER_CONFIG_READER_H_
#define CLUSTER_CONFIG_READER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cluster/config.h"
#include "cluster/config/check.h"
#include "cluster/config/keys.h"
#include "cluster/config/positioned_json.h"

namespace cluster::internal {

class ConfigReader {
 public:
  // Borrows `root`.
  ConfigReader(absl::string_view origin, const JsonValue& root);

  absl::Status Read();

  Config& config() { return config_; }
  const ConfigPlaces& places() const { return places_; }

 private:
  // Each of these reads the value at `path`, whose line is noted already.
  absl::Status ReadMember(const std::string& path, const JsonMember& member);
  absl::Status ReadKey(const std::string& path, const ConfigKey& key,
                       const JsonValue& value);
  absl::Status ReadOptions(const std::string& path, const JsonMember& member);
  absl::Status ReadServers(const std::string& path, const JsonValue& list);
  absl::Status ReadServer(const std::string& path, const JsonValue& value);
  absl::Status ReadGoServer(const std::string& path, const JsonValue& value);
  absl::Status ReadSecurity(const std::string& path, const JsonValue& value);
  absl::Status ReadFolder(const std::string& path, const JsonValue& value,
                          std::string* out);
  absl::Status ReadPeerFolders(const std::string& path, const JsonValue& value);
  absl::Status ReadString(const std::string& path, const JsonValue& value,
                          std::string* out);
  absl::Status ReadInteger(const std::string& path, const JsonValue& value,
                           std::uint64_t least, std::uint64_t most,
                           std::uint64_t* out);

  // The same by the kind of a key.
  absl::Status Read(const std::string& path, const TextKey& key,
                    const JsonValue& value);
  absl::Status Read(const std::string& path, const SizeKey& key,
                    const JsonValue& value);
  absl::Status Read(const std::string& path, const TimeKey& key,
                    const JsonValue& value);
  absl::Status Read(const std::string& path, const FlagKey& key,
                    const JsonValue& value);
  absl::Status Read(const std::string& path, const WordKey& key,
                    const JsonValue& value);
  absl::Status Read(const std::string& path, const FormKey& key,
                    const JsonValue& value);

  // Notes the line of each member, refuses repeated ones, and (unless `known`
  // is empty) unknown ones.
  absl::Status NoteMembers(const std::string& path, const JsonValue& object,
                           const std::vector<std::string>& known);
  absl::Status CheckBothKeys(const std::string& path, const JsonValue& object,
                             absl::string_view first,
                             absl::string_view second) const;
  absl::Status CheckForm();
  absl::Status CheckDeliveryKeys();
  absl::Status Unknown(const std::string& path, absl::string_view key,
                       const std::vector<std::string>& known) const;
  absl::Status Wrong(const std::string& path, const JsonValue& value,
                     absl::string_view want) const;
  const JsonValue* Find(absl::string_view key) const;
  bool IsOptionsKey(absl::string_view key) const;

  const JsonValue& root_;
  Config config_;
  ConfigPlaces places_;
};

}  // namespace cluster::internal

#endif  // CLUSTER_CONFIG_READER_H_
