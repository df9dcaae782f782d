// The JSON codec: one object per envelope, id 2, `"codec": "json"` in the
// config.
//
// For human readers and for scripts that take part. It is slower than the
// binary codec.
//
// Wire grammar:
//
//   {"MessageId":"<incarnation>-<sequence>","Pid":2,"MsgType":0,"SenderId":1,
//    "Term":7,"Voted":false,"Payload":"..."}
//
// on one line, without the space. Then follow `"Lane":"urgent"` or
// `"Lane":"bulk"` unless the lane is normal, and "Group" and "Correlation"
// (numbers) unless they are 0. "PayloadBase64" (RFC 4648 section 4, padded)
// replaces "Payload" for a payload that is not UTF-8. It also does for one over
// 128 bytes that would be longer with escapes. In a body every object ends with
// one '\n', and no other '\n' occurs. A standalone message is the bare object;
// readers accept white space around it.
//
// Readers also accept `"MsgId":<number>`, a sequence of incarnation zero, for
// MessageId; "Msg" for Payload; and one of the four names
// ("RequestVoteRequest") for MsgType. A missing key means zero, so a foreign
// envelope may come without an id. Unknown keys are ignored, at most
// kJsonDepthMax objects and arrays deep. Readers refuse wrong types, numbers
// out of range, a known key twice, Payload beside PayloadBase64, text that is
// not UTF-8, and anything behind the object.
//
// The codec is stateless and safe from any thread. A decoded payload is in the
// DecodeState; it must be below 4 GiB. Errors are kDataLoss for a record
// without its '\n', else kInvalidArgument. Their text counts bytes from the
// start of the record.
//
//   const cluster::Codec& codec = cluster::JsonCodec();
//   std::string message;
//   codec.EncodeStandalone(envelope, &message);

#ifndef CLUSTER_CODEC_JSON_JSON_H_
#define CLUSTER_CODEC_JSON_JSON_H_

#include "cluster/codec/codec.h"

namespace cluster {

// How deep an ignored value may nest, the envelope's own object included.
inline constexpr int kJsonDepthMax = 16;

// Lives for ever.
const Codec& JsonCodec();

}  // namespace cluster

#endif  // CLUSTER_CODEC_JSON_JSON_H_
