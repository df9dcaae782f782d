// Addresses of the library as nng's endpoints, and nng's errors as absl::Status.
//
// The schemes (tcp, ipc) differ here and nowhere else in the backend. nng
// resolves a name anew at each dial. Functions without state.

#ifndef CLUSTER_TRANSPORT_NNG_ENDPOINT_H_
#define CLUSTER_TRANSPORT_NNG_ENDPOINT_H_

#include <nng/nng.h>

#include <chrono>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cluster/transport/address.h"

namespace cluster::internal {
namespace nng {

// The n-th attempt to dial a name asks for whatever address family comes first,
// then for IPv4, then for IPv6, and so on: the first that a resolver gives need
// not be the one that the peer listens on.
std::string ListenUrl(const Address& address);
std::string DialUrl(const Address& address, unsigned attempt);

// Binds and listens. On success the caller owns `*listener`. A socket file that
// no process listens on is replaced; a file that is no socket is left alone.
absl::Status OpenListener(const Address& address,
                          nng_stream_listener** listener);
// What it is bound to, in the form that ParseAddress reads: "127.0.0.1:43211".
std::string BoundAddress(const Address& address, nng_stream_listener* listener);

// On success the caller owns `*dialer`. FreeDialer frees it later and does not
// wait.
absl::Status OpenDialer(const Address& address, unsigned attempt,
                        nng_stream_dialer** dialer);
void FreeDialer(nng_stream_dialer* dialer);

// Waits until nng has freed what was given to nng_stream_free and FreeDialer
// before; a stream's descriptor stays open until then. False: not by
// `deadline`. Not in a callback of nng.
bool AwaitReaper(std::chrono::steady_clock::time_point deadline);

// Where the other end of `stream` is, for people.
std::string RemoteText(nng_stream* stream);

// Whether both ends of `stream` are the same socket: what comes of dialling a
// free port of one's own host when the system takes that very port for the near
// end. Nobody could listen there while it lasts.
bool LeadsToItself(nng_stream* stream);
// Ends such a stream by a reset, and frees it: closed in order, it would keep
// the port for another minute.
void ResetToItself(nng_stream* stream);

// kAlreadyExists (in use), kInvalidArgument, kPermissionDenied, kNotFound, else
// kUnavailable. `error` is one of nng's, not zero.
absl::Status ErrorStatus(int error, absl::string_view doing,
                         const Address& address);

}  // namespace nng
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_NNG_ENDPOINT_H_
