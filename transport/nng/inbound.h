// Connections that others dial.
//
// Listen binds, and accepts until the acceptor is closed. Each accepted stream
// becomes an Inbound (inbound.cc), which lives by itself: TLS handshake,
// greeting, frames, end. The handler is called on nng's threads.

#ifndef CLUSTER_TRANSPORT_NNG_INBOUND_H_
#define CLUSTER_TRANSPORT_NNG_INBOUND_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "cluster/transport/address.h"
#include "cluster/transport/nng/channel.h"

namespace cluster::internal {
namespace nng {

// Gives the acceptor, to be closed and let go of, and the address with its port
// resolved. The context outlives it.
absl::Status Listen(Context* context, const Address& address,
                    std::shared_ptr<AsyncHandle>* acceptor,
                    std::string* bound_address);

}  // namespace nng
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_NNG_INBOUND_H_
