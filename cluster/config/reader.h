// ConfigReader: a Config out of a JSON tree, strictly.
//
// What it is: one walk over the tree. The first mistake ends it; nothing
// unknown, repeated or of the wrong type passes. What it is not: the checks
// that a Config made by hand needs as well (config_check.h), which ParseConfig
// makes afterwards.
//
// Internal to //cluster:config. Threads: none; use one once.
//
//   ConfigReader reader("a.json", root);
//   absl::Status status = reader.Read();
//   if (status.ok()) Use(reader.config(), reader.places());

#ifndef CLUSTER_CONFIG_READER_H_
#define CLUSTER_CONFIG_READER_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cluster/config.h"
#include "cluster/config/check.h"
#include "cluster/config/positioned_json.h"

namespace cluster {

class ConfigReader {
 public:
  // Borrows `root`.
  ConfigReader(absl::string_view origin, const JsonValue& root);

  absl::Status Read();

  Config& config() { return config_; }
  const ConfigPlaces& places() const { return places_; }

 private:
  // The words that a key may hold, and what they mean.
  template <typename Meaning>
  using Words = std::vector<std::pair<const char*, Meaning>>;

  // Each of these reads the value at `path`, whose line is noted already.
  absl::Status ReadMember(const std::string& path, const JsonMember& member);
  absl::Status ReadNumberKey(const std::string& path, const JsonMember& member,
                             bool* known);
  absl::Status ReadOtherKey(const std::string& path, const JsonMember& member);
  absl::Status ReadOptions(const std::string& path, const JsonMember& member);
  absl::Status ReadServers(const std::string& path, const JsonValue& list);
  absl::Status ReadServer(const std::string& path, const JsonValue& value);
  absl::Status ReadGoServer(const std::string& path, const JsonValue& value);
  absl::Status ReadSecurity(const std::string& path, const JsonValue& value);
  absl::Status ReadMode(const std::string& path, const JsonValue& value,
                        SecurityConfig::Mode* out);
  absl::Status ReadFolder(const std::string& path, const JsonValue& value,
                          std::string* out);
  absl::Status ReadPeerFolders(const std::string& path, const JsonValue& value);
  absl::Status ReadBool(const std::string& path, const JsonValue& value,
                        bool* out);
  absl::Status ReadString(const std::string& path, const JsonValue& value,
                          std::string* out);
  absl::Status ReadInteger(const std::string& path, const JsonValue& value,
                           std::uint64_t least, std::uint64_t most,
                           std::uint64_t* out);
  template <typename Meaning>
  absl::Status ReadWord(const std::string& path, const JsonValue& value,
                        const Words<Meaning>& words, Meaning* out);

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

}  // namespace cluster

#endif  // CLUSTER_CONFIG_READER_H_
