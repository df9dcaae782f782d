#include "cluster/config.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/config/check.h"

namespace cluster {
namespace {

internal::ConfigPlaces PlacesOf(const Config& config) {
  internal::ConfigPlaces places;
  places.origin = config.origin;
  for (const auto& [key, line] : config.lines)
    places.lines.emplace(absl::StrCat("$.", key), line);
  if (config.lines.count("Server") != 0) places.UseGoForm();
  return places;
}

}  // namespace

absl::Status ValidateConfig(const Config& config) {
  return internal::CheckConfig(config, PlacesOf(config));
}

std::string PlaceOf(const Config& config, absl::string_view key) {
  const internal::ConfigPlaces places = PlacesOf(config);
  return places.Place(key == "servers" ? places.servers_path
                                       : absl::StrCat("$.", key));
}

}  // namespace cluster
