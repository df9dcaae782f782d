// Accepts the connections that others dial.
//
// Listen binds, and accepts until the acceptor is closed. Each accepted stream
// becomes an Inbound (inbound.cc), which owns itself: TLS handshake, greeting,
// frames, end. The handler is called on the backend's threads.

#ifndef CLUSTER_TRANSPORT_STREAM_INBOUND_H_
#define CLUSTER_TRANSPORT_STREAM_INBOUND_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "cluster/transport/address.h"
#include "cluster/transport/stream/channel.h"

namespace cluster::internal {
namespace stream {

// On success sets `*acceptor`, which the caller closes and releases, and
// `*bound_address`, with the port resolved. The context outlives the acceptor.
absl::Status Listen(Context* context, const Address& address,
                    std::shared_ptr<AsyncHandle>* acceptor,
                    std::string* bound_address);

}  // namespace stream
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_STREAM_INBOUND_H_
