// Writes one envelope as a JSON object, by the grammar of json.h.
//
// Pure functions; they cannot fail in a buffer of JsonBytesMax bytes.
//
//   out = WriteJson(envelope, out);
//   *out++ = '\n';

#ifndef CLUSTER_CODEC_JSON_JSON_WRITE_H_
#define CLUSTER_CODEC_JSON_JSON_WRITE_H_

#include <cstddef>

#include "cluster/envelope.h"

namespace cluster::internal {

// WriteJson writes at most so many bytes.
std::size_t JsonBytesMax(const EnvelopeView& envelope);

// Writes the object at `out`, which has room for JsonBytesMax, and returns its
// end.
char* WriteJson(const EnvelopeView& envelope, char* out);

}  // namespace cluster::internal

#endif  // CLUSTER_CODEC_JSON_JSON_WRITE_H_
