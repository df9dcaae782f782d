// The binary codec: compact records, id 1, `"codec": "binary"` in the config.
//
// A record that follows a like one costs two bytes beside its payload. A frame's
// header has the checksum of its body; a standalone message has its own.
// docs/wire-format.md has the grammar.
//
// The codec is stateless and safe from any thread. Errors are kDataLoss where
// bytes are missing or a checksum is wrong, else kInvalidArgument. Their text
// counts bytes from the start of the record.
//
//   const cluster::Codec& codec = cluster::BinaryCodec();
//   std::string message;
//   codec.EncodeStandalone(envelope, &message);

#ifndef CLUSTER_CODEC_BINARY_BINARY_H_
#define CLUSTER_CODEC_BINARY_BINARY_H_

#include "cluster/codec/codec.h"

namespace cluster {

// Lives for ever.
const Codec& BinaryCodec();

}  // namespace cluster

#endif  // CLUSTER_CODEC_BINARY_BINARY_H_
