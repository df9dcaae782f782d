// The keys of the config file. Each is declared once, in keys.cc.
//
// The reader, the checks, their error texts, the listings and the tests of
// documents take all that they know of a key from here. To add a key of a number,
// a text or some words, add a member to Config and an entry to keys.cc. Then
// keys_test.cc says what the documents lack.
//
//   for (const ConfigKey& key : ConfigKeys())
//     std::cout << key.name << " " << AllowedOf(key) << "\n";

#ifndef CLUSTER_CONFIG_KEYS_H_
#define CLUSTER_CONFIG_KEYS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cluster/config.h"

namespace cluster::internal {

// Bounds that no key states.
inline constexpr std::size_t kServersMax = 10000;
// Room for a host of 253 bytes or an ipc path, and for a stranger's own form.
inline constexpr std::size_t kAddressBytesMax = 512;
inline constexpr std::size_t kOptionBytesMax = 4096;

struct TextKey {
  std::string Config::*field;
  std::size_t bytes_max;  // at least one byte
};

struct SizeKey {
  std::size_t Config::*field;
  std::uint64_t least;
  std::uint64_t most;
};

// In the file a number of milliseconds.
struct TimeKey {
  absl::Duration Config::*field;
  std::int64_t least_ms;
  std::int64_t most_ms;
};

struct FlagKey {
  bool Config::*field;
};

// One of some words, which are the values of an enum.
struct WordKey {
  struct Word {
    const char* text;
    int value;
  };
  std::vector<Word> words;
  std::function<int(const Config&)> get;
  std::function<void(int, Config*)> set;
};

// Read by code of its own, which takes the names of its members from here.
struct FormKey {
  const char* form;
};

struct ConfigKey {
  const char* name;  // of a member of an object: "security.mode"
  std::variant<TextKey, SizeKey, TimeKey, FlagKey, WordKey, FormKey> value;
  const char* help;
  bool reliable_only = false;  // means nothing to best-effort delivery
  // A running server takes another value (Server::ApplyConfig). A member of an
  // object is as live as it says itself.
  bool live = false;
};

// In the order in which texts list them.
const std::vector<ConfigKey>& ConfigKeys();

// Null: there is no such key.
const ConfigKey* FindConfigKey(absl::string_view name);

// The members of the top level (""), or of an object ("security").
std::vector<std::string> KeyNamesIn(absl::string_view object);

// "512 to 4194304", "\"reliable\" or \"best_effort\"".
std::string AllowedOf(const ConfigKey& key);
std::string AllowedOf(const WordKey& key);

// As the file has it: "65536", "\"zmq\""; "" for a FormKey.
std::string ValueIn(const Config& config, const ConfigKey& key);

// All keys with their ranges, defaults and help, for people.
std::string ListConfigKeys();

}  // namespace cluster::internal

#endif  // CLUSTER_CONFIG_KEYS_H_
