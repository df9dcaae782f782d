// The JSON codec: one object per envelope, id 2, `"codec": "json"` in the
// config. docs/wire-format.md has the grammar.
//
// For human readers and for scripts that take part. It is slower than the binary
// codec. It is stateless and safe from any thread. A decoded payload is in the
// DecodeState; it must be below 4 GiB. Errors are kDataLoss for a record without
// its '\n', else kInvalidArgument. Their text counts bytes from the start of the
// record.
//
//   const cluster::Codec& codec = cluster::JsonCodec();
//   std::string message;
//   codec.EncodeStandalone(envelope, &message);

#ifndef CLUSTER_CODEC_JSON_JSON_H_
#define CLUSTER_CODEC_JSON_JSON_H_

#include "cluster/codec/codec.h"

namespace cluster {

// How deep a value may nest, the envelope's own object included.
inline constexpr int kJsonDepthMax = 16;

// Lives for ever.
const Codec& JsonCodec();

// The same for `"json_dialect": "go"`, with messages as the Go library writes
// and reads them: `MsgId`, a number, and `Msg`, which may be any value. Of a
// message id only the sequence travels. Only standalone messages have the
// dialect.
const Codec& GoJsonCodec();

}  // namespace cluster

#endif  // CLUSTER_CODEC_JSON_JSON_H_
