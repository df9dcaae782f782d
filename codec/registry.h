// Finds a codec by its name in the config, or by its id in a frame.
//
// The table in registry.cc has one line per codec; nothing registers itself.
// Thread-safe. Codecs live for ever.
//
//   absl::StatusOr<const Codec*> codec = FindCodec("binary");
//   if (codec.ok()) (*codec)->EncodeStandalone(envelope, &message);

#ifndef CLUSTER_CODEC_REGISTRY_H_
#define CLUSTER_CODEC_REGISTRY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cluster/codec/codec.h"

namespace cluster {

// The codec of that name; kNotFound lists the known ones.
absl::StatusOr<const Codec*> FindCodec(absl::string_view name);

// The codec with that wire id, or null.
const Codec* FindCodec(std::uint8_t id);

// The codec in which this is a standalone message, and in `state` its envelope;
// null if there is none.
const Codec* CodecOfStandalone(absl::string_view message, DecodeState* state);

// In the order in which errors list them.
std::vector<std::string> CodecNames();

}  // namespace cluster

#endif  // CLUSTER_CODEC_REGISTRY_H_
