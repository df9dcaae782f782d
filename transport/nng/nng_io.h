// Streams, listeners and operations of nng (transport/stream/io.h).
//
// nng's threads call back. OnDrained is called on them too, while enough of them
// are free (drainer.h). nng does a send on an idle stream on the calling thread.
// The destructor waits, for at most 5 s, until nng has closed all descriptors.

#ifndef CLUSTER_TRANSPORT_NNG_NNG_IO_H_
#define CLUSTER_TRANSPORT_NNG_NNG_IO_H_

#include <memory>

#include "cluster/transport/nng/endpoint.h"
#include "cluster/transport/stream/io.h"

namespace cluster::internal {
namespace nng {

std::unique_ptr<stream::Io> NewNngIo(const TcpOptions& options);

}  // namespace nng
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_NNG_NNG_IO_H_
