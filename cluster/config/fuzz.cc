// Any bytes as a config file: an error that begins with the origin, or a Config
// that validates.

#include <cstddef>
#include <cstdint>

#include "absl/strings/match.h"
#include "cluster/base/check.h"
#include "cluster/config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t bytes) {
  const absl::string_view text(reinterpret_cast<const char*>(data), bytes);
  const absl::StatusOr<cluster::Config> config =
      cluster::ParseConfig(text, "a.json");
  if (config.ok()) {
    CLUSTER_CHECK(cluster::ValidateConfig(*config).ok(),
                  "a config that was read does not validate");
  } else {
    CLUSTER_CHECK(absl::StartsWith(config.status().message(), "a.json:"),
                  "an error does not begin with its origin");
  }
  return 0;
}
