// MutualTransport: a transport for the contract suite, that dials back whoever
// dials it.
//
// A secured nng link is proven over the link of the other direction, which the
// servers of a cluster have anyway. The tests of the contract often have one
// direction only; this makes the other one, and hides what comes of it.
// What it is not: a way to have only one direction.
//
// Threads: as any transport. It finds the other end in a table of the process.
// Ownership: it owns the transport beneath. Errors: those of that.
//
//   auto transport = NewMutualTransport(*std::move(nng_transport), 1);

#ifndef TRANSPORT_NNG_MUTUAL_TRANSPORT_H_
#define TRANSPORT_NNG_MUTUAL_TRANSPORT_H_

#include <memory>

#include "transport/transport.h"

namespace cluster {
namespace nng {

std::unique_ptr<Transport> NewMutualTransport(std::unique_ptr<Transport> inner,
                                              int server_id);

}  // namespace nng
}  // namespace cluster

#endif  // TRANSPORT_NNG_MUTUAL_TRANSPORT_H_
