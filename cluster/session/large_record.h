// EncodeLarge: an envelope that shares no frame with others, as a batch of its
// own.
//
// Makes the only copy of a large payload on its way out. The payload goes straight
// to where its frame or its chunks will be, each behind room for a header. It is
// summed while it is in the cache. SendQueue calls it without its mutex.
//
// Any thread. The payload is within payload_bytes_max. Throws std::bad_alloc.
//
//   Batch batch = EncodeLarge(config, envelope);

#ifndef CLUSTER_SESSION_LARGE_RECORD_H_
#define CLUSTER_SESSION_LARGE_RECORD_H_

#include "cluster/envelope.h"
#include "cluster/session/batch.h"
#include "cluster/session/session_config.h"

namespace cluster::internal {

// Large, in chunks, or small where one of them holds it. `shared`: for the
// queues of several peers.
Batch EncodeLarge(const SessionConfig& config, const EnvelopeView& envelope,
                  bool shared = false);

}  // namespace cluster::internal

#endif  // CLUSTER_SESSION_LARGE_RECORD_H_
