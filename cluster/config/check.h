// The checks of a Config that was read or made by hand, and the places that
// their errors name.
//
// Internal to //cluster:config. Threads: values. Errors: kInvalidArgument, the
// first one found.

#ifndef CLUSTER_CONFIG_CHECK_H_
#define CLUSTER_CONFIG_CHECK_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cluster/config.h"

namespace cluster::internal {

// Where the parts of a Config stand: the file, lines by JSON path
// ("$.servers[2].id"), and what the file's form calls the list and its keys.
struct ConfigPlaces {
  std::string origin;
  std::map<std::string, int> lines;
  std::string servers_path = "$.servers";
  std::string id_key = "id";
  std::string address_key = "address";

  void UseGoForm() {
    servers_path = "$.Server";
    id_key = "Server_Id";
    address_key = "Port_Num";
  }

  // "a.json:3: $.codec"; without the line if that is not known.
  std::string Place(absl::string_view path) const;
  absl::Status Error(absl::string_view path, absl::string_view text) const;
};

absl::Status CheckConfig(const Config& config, const ConfigPlaces& places);

// A part of CheckConfig (config_check_servers.cc).
absl::Status CheckServers(const Config& config, const ConfigPlaces& places);

// That a text has 1 to `bytes_max` bytes.
absl::Status CheckText(const ConfigPlaces& places, const std::string& path,
                       const std::string& text, std::size_t bytes_max);

// The error for a key that means nothing to the best-effort delivery.
absl::Status ReliableOnlyError(const ConfigPlaces& places,
                               absl::string_view key);

}  // namespace cluster::internal

#endif  // CLUSTER_CONFIG_CHECK_H_
