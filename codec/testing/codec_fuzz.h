// The properties that every codec's decoders are fuzzed for; aborts if one
// fails.
//
// For any bytes: no read out of bounds (sanitizers see it), no empty record,
// ids and lane in range. An error names a byte. An envelope that was
// decoded is encoded within the bound, and decodes to the same.
//
//   FuzzBody(BinaryCodec(), input);

#ifndef CLUSTER_CODEC_TESTING_CODEC_FUZZ_H_
#define CLUSTER_CODEC_TESTING_CODEC_FUZZ_H_

#include "absl/strings/string_view.h"
#include "cluster/codec/codec.h"

namespace cluster::internal {

void FuzzBody(const Codec& codec, absl::string_view body);

void FuzzStandalone(const Codec& codec, absl::string_view message);

}  // namespace cluster::internal

#endif  // CLUSTER_CODEC_TESTING_CODEC_FUZZ_H_
