// The checks of a Config that was read or made by hand, the places that their
// errors name, and the key files that it means.
//
// Functions without state, internal to the library. They answer the first error
// found, with its place in the file and what to do about it. None looks at the
// network; only ResolveSecurity looks at the disk.
//
//   absl::Status status = CheckNewPeer(config, 2, "127.0.0.1:10002", "");
//   absl::StatusOr<SecurityFiles> files = ResolveSecurity(config, 1);

#ifndef CLUSTER_CONFIG_CHECK_H_
#define CLUSTER_CONFIG_CHECK_H_

#include <cstddef>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "cluster/config.h"
#include "cluster/transport/security.h"

namespace cluster::internal {

// The file of a Config, lines by JSON path ("$.servers[2].id"), and the words of
// the file's form for the list and its keys.
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

  // Where that server listens: "$.servers[2].listen" or "$.servers[2].address".
  std::string ListenerPath(const Config& config, std::size_t index) const;

  // "a.json:3: $.codec"; without the line if that is not known.
  std::string Place(absl::string_view path) const;
  // kInvalidArgument.
  absl::Status Error(absl::string_view path, absl::string_view text) const;
};

absl::Status CheckConfig(const Config& config, const ConfigPlaces& places);

// The parts of CheckConfig that have files of their own. kFailedPrecondition: a
// server without security that other machines reach.
absl::Status CheckServers(const Config& config, const ConfigPlaces& places);
absl::Status CheckSecurity(const Config& config, const ConfigPlaces& places);

// Whether the codec and the delivery are those that have the Go dialect.
inline bool MayHaveGoDialect(const Config& config) {
  return config.codec == "json" && config.delivery == Delivery::kBestEffort;
}

// That a text has 1 to `bytes_max` bytes.
absl::Status CheckText(const ConfigPlaces& places, const std::string& path,
                       const std::string& text, std::size_t bytes_max);

// The error for a key that means nothing to the best-effort delivery.
absl::Status ReliableOnlyError(const ConfigPlaces& places,
                               absl::string_view key);

// The id that a text spells in its shortest form, if it does.
absl::optional<int> ServerIdOf(absl::string_view text);

// Whether other servers can dial an address. kInvalidArgument: `address "...": `
// and what is wrong. Accepts port 0, which is not known yet, and any address of
// a transport of the caller's own.
absl::Status CheckPeerAddress(const Config& config, const std::string& text);

// The same for server `id`, which comes later. Also checks that no other server
// of the config is there, nor the one that listens at `own_bound` (empty: it
// does not yet).
absl::Status CheckNewPeer(const Config& config, int id, const std::string& text,
                          const std::string& own_bound);

// The place of the address at which server `id` listens.
std::string PlaceOfListener(const Config& config, int id);

// The folders of server `id` and its peers, without the own id; a folder of
// peers is listed anew. kFailedPrecondition: security is not configured.
// kNotFound: the folder of peers cannot be listed.
absl::StatusOr<SecurityFiles> ResolveSecurity(const Config& config, int id);

// Whether only this machine reaches the host. Of names only "localhost" is known to
// stay on it.
bool IsLoopback(const std::string& host);

// The files of server `id`'s admin server, relative to the config's file.
AdminConfig ResolveAdmin(const Config& config, int id);

// A transport's error with these files. If it is about one of them, it begins
// with the config's key, and names keygen if the file is missing.
absl::Status AtKeyFile(const Config& config, const SecurityFiles& files,
                       const absl::Status& error);

}  // namespace cluster::internal

#endif  // CLUSTER_CONFIG_CHECK_H_
