// The JSON codec: one object an envelope, id 2, name "json".
//
// What it is: the codec of the config's `"codec": "json"`, for people who read
// along and for scripts that take part. What it is not: a JSON library; and not
// the fast codec (codec/binary is).
//
// Wire grammar:
//
//   {"MessageId":"<incarnation>-<sequence>","Pid":2,"MsgType":0,"SenderId":1,
//    "Term":7,"Voted":false,"Payload":"..."}
//
// on one line, without the space; then `"Lane":"urgent"` or `"Lane":"bulk"`
// unless the lane is normal, "Group" and "Correlation" (numbers) unless they
// are 0. A payload that is not UTF-8 stands as
// "PayloadBase64" instead (RFC 4648 section 4, padded), as does one over 128
// bytes that escapes would make longer than that. In a body every object
// ends with one '\n', and no other '\n' occurs. A standalone message is the
// bare object; white space around it is accepted.
//
// Reading also takes `"MsgId":<number>`, which is a sequence of incarnation
// zero, for MessageId, "Msg" for Payload, and one of the four names
// ("RequestVoteRequest") for MsgType. A missing key is its zero, so a foreign
// envelope may come without an id. Unknown keys are ignored, at most
// kJsonDepthMax objects and arrays deep. Refused: wrong types, numbers out of
// range, a known key twice, Payload beside PayloadBase64, text that is not
// UTF-8, anything behind the object.
//
// Threads: stateless; use it from any. Ownership: a decoded payload lies in the
// DecodeState. Limits: payloads below 4 GiB. Errors: kDataLoss for a record
// without its '\n', else kInvalidArgument; the text counts bytes from the start
// of the record.
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
