// Writes one envelope as a JSON object: the grammar of json.h, apart from the
// Codec interface.
//
// Threads: pure functions. Ownership: the caller's buffer. Errors: none, given
// room.
//
//   out = WriteJson(envelope, out);
//   *out++ = '\n';

#ifndef CLUSTER_CODEC_JSON_JSON_WRITE_H_
#define CLUSTER_CODEC_JSON_JSON_WRITE_H_

#include <cstddef>

#include "cluster/envelope.h"

namespace cluster {

// An upper bound of what WriteJson writes, in bytes.
std::size_t JsonBytesMax(const EnvelopeView& envelope);

// Writes the object at `out`, which has room for JsonBytesMax, and returns its
// end.
char* WriteJson(const EnvelopeView& envelope, char* out);

}  // namespace cluster

#endif  // CLUSTER_CODEC_JSON_JSON_WRITE_H_
