// The properties that every codec's decoders are fuzzed for.
//
// Whatever the bytes: no read out of bounds (the sanitizers' part), no record
// of no bytes, ids and lane in range, an error that names a byte; and what was
// decoded is encoded within the bound and decodes to the same.
//
// Not for production code. Threads: pure functions. Errors: aborts.
//
//   FuzzBody(BinaryCodec(), input);

#ifndef CLUSTER_CODEC_TESTING_CODEC_FUZZ_H_
#define CLUSTER_CODEC_TESTING_CODEC_FUZZ_H_

#include "absl/strings/string_view.h"
#include "cluster/codec/codec.h"

namespace cluster {

void FuzzBody(const Codec& codec, absl::string_view body);

void FuzzStandalone(const Codec& codec, absl::string_view message);

}  // namespace cluster

#endif  // CLUSTER_CODEC_TESTING_CODEC_FUZZ_H_
