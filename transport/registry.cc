#include "cluster/transport/registry.h"

#include <cstddef>
#include <memory>

#include "absl/strings/str_cat.h"
#include "cluster/base/known_words.h"
#include "cluster/transport/transport_facts.h"

namespace cluster {

// As in the header of each transport: the table names all that is needed.
#define CLUSTER_DECLARE(name, factory, sockets, secured, one_process) \
  absl::StatusOr<std::unique_ptr<Transport>> factory(                 \
      const TransportConfig& config);
CLUSTER_TRANSPORTS(CLUSTER_DECLARE)
#undef CLUSTER_DECLARE

namespace {

struct Entry {
  const char* name;
  absl::StatusOr<std::unique_ptr<Transport>> (*make)(const TransportConfig&);
};

constexpr Entry kFactories[] = {
#define CLUSTER_ENTRY(name, factory, sockets, secured, one_process) \
  {name, factory},
    CLUSTER_TRANSPORTS(CLUSTER_ENTRY)
#undef CLUSTER_ENTRY
};

// The longest name that an error text repeats.
constexpr std::size_t kShownBytes = 80;

}  // namespace

absl::StatusOr<TransportFactory> FindTransport(absl::string_view name) {
  for (const Entry& entry : kFactories) {
    if (name == entry.name) return TransportFactory(entry.make);
  }
  const absl::string_view shown = name.substr(0, kShownBytes);
  return absl::NotFoundError(absl::StrCat(
      "unknown transport \"", shown, shown.size() < name.size() ? "..." : "",
      "\"", internal::KnownWords(shown, TransportNames())));
}

// Making a transport checks its options, and opens nothing.
absl::Status CheckTransportOptions(absl::string_view name,
                                   const TransportOptions& options) {
  const absl::StatusOr<TransportFactory> factory = FindTransport(name);
  if (!factory.ok()) return absl::OkStatus();
  TransportConfig config;
  config.options = options;
  absl::Status status = (*factory)(config).status();
  if (absl::IsUnimplemented(status)) return absl::OkStatus();  // left out
  return status;
}

std::vector<std::string> TransportNames() {
  std::vector<std::string> names;
  for (const Entry& entry : kFactories) names.emplace_back(entry.name);
  return names;
}

}  // namespace cluster
