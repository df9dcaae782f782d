#include "cluster/transport/registry.h"

#include <cstddef>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cluster/transport/memory/memory_transport.h"
#include "cluster/transport/nng/nng_transport.h"
#include "cluster/transport/options.h"
#include "cluster/transport/zmq/zmq_transport.h"

namespace cluster {
namespace {

struct Entry {
  const char* name;
  absl::StatusOr<std::unique_ptr<Transport>> (*make)(const TransportConfig&);
};

constexpr Entry kTransports[] = {
    {"memory", NewMemoryTransport},
    {"nng", NewNngTransport},
    {"zmq", NewZmqTransport},
};

// The longest name that an error text repeats.
constexpr std::size_t kShownBytes = 80;

}  // namespace

absl::StatusOr<TransportFactory> FindTransport(absl::string_view name) {
  for (const Entry& entry : kTransports)
    if (name == entry.name) return TransportFactory(entry.make);
  const std::vector<std::string> names = TransportNames();
  const absl::string_view shown = name.substr(0, kShownBytes);
  const std::string nearest = NearestWord(shown, names);
  return absl::NotFoundError(absl::StrCat(
      "unknown transport \"", shown, shown.size() < name.size() ? "..." : "",
      "\"",
      nearest.empty() ? "" : absl::StrCat("; did you mean \"", nearest, "\"?"),
      "; known: ", absl::StrJoin(names, ", ")));
}

std::vector<std::string> TransportNames() {
  std::vector<std::string> names;
  for (const Entry& entry : kTransports) names.emplace_back(entry.name);
  return names;
}

}  // namespace cluster
