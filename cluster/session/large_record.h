// EncodeLarge: an envelope that shares no frame with others, as a batch of its
// own.
//
// What it is: the one copy of a large payload on its way out. It goes straight
// to where its frame lies, or its chunks if it is larger than one, each behind
// room for a header, and is summed while it is in the cache. What it is not:
// part of SendQueue, so that nobody has to hold a lock for as long as it takes.
//
// Threads: any. Errors: none; the envelope's payload is within
// payload_bytes_max.
//
//   Batch batch = EncodeLarge(config, envelope);
//   queue.AppendEncoded(std::move(batch));

#ifndef CLUSTER_SESSION_LARGE_RECORD_H_
#define CLUSTER_SESSION_LARGE_RECORD_H_

#include "cluster/envelope.h"
#include "cluster/session/batch.h"
#include "cluster/session/link_config.h"

namespace cluster {

// Large, in chunks, or small where one of them holds it. `shared`: for the
// queues of several peers.
Batch EncodeLarge(const LinkConfig& config, const EnvelopeView& envelope,
                  bool shared = false);

}  // namespace cluster

#endif  // CLUSTER_SESSION_LARGE_RECORD_H_
