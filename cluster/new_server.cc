// NewServer by the names of a config: where the library meets its own
// transports.

#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/server.h"
#include "cluster/transport/registry.h"

namespace cluster {

absl::StatusOr<std::unique_ptr<Server>> NewServer(
    int server_id, const std::string& config_file) {
  absl::StatusOr<Config> config = LoadConfig(config_file);
  if (!config.ok()) return config.status();
  return NewServer(server_id, *std::move(config));
}

absl::StatusOr<std::unique_ptr<Server>> NewServer(int server_id,
                                                  Config config) {
  absl::StatusOr<TransportFactory> factory = FindTransport(config.transport);
  if (!factory.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        PlaceOf(config, "transport"), ": ", factory.status().message()));
  }
  for (const auto& [name, options] : config.transport_options) {
    absl::Status status = CheckTransportOptions(name, options);
    if (name != config.transport && !status.ok()) return status;
  }
  return NewServer(server_id, std::move(config), *std::move(factory));
}

}  // namespace cluster
