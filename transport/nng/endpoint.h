// Converts addresses to nng's endpoints, and nng's errors to absl::Status.
//
// The rest of the backend treats the schemes (tcp, ipc) alike. nng gets numbers
// only, so it never looks a name up. Functions without state.

#ifndef CLUSTER_TRANSPORT_NNG_ENDPOINT_H_
#define CLUSTER_TRANSPORT_NNG_ENDPOINT_H_

#include <nng/nng.h>

#include <chrono>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cluster/transport/address.h"
#include "cluster/transport/source_address.h"

namespace cluster::internal {
namespace nng {

struct TcpOptions {
  SourceAddress source;
  bool keepalive = true;
};

// Of an address of numbers (ToNumbers).
std::string Url(const Address& numbers);

// Binds and listens. On success the caller owns `*listener`. Replaces a socket
// file that no process listens on, and leaves any other file alone. A name's
// numbers are tried in turn; it waits for the resolver.
absl::Status OpenListener(const Address& address, const TcpOptions& options,
                          nng_stream_listener** listener);
// The bound address, in the form that ParseAddress reads: "127.0.0.1:43211", or
// the name with the port.
std::string BoundAddress(const Address& address, nng_stream_listener* listener);

// On success the caller owns `*dialer`. FreeDialer frees it later and does not
// wait. `address` is no name.
absl::Status OpenDialer(const Address& address, const TcpOptions& options,
                        nng_stream_dialer** dialer);
void FreeDialer(nng_stream_dialer* dialer);

// Waits until nng has freed all that nng_stream_free and FreeDialer got before;
// a stream's descriptor stays open until then. False: `deadline` came first. Do
// not call it in a callback of nng.
bool AwaitReaper(std::chrono::steady_clock::time_point deadline);

// The address of the other end of `stream`, for messages.
std::string RemoteText(nng_stream* stream);

// Whether both ends of `stream` are the same socket. That happens when one
// dials a free port of one's own host, and the system picks that very port for
// the near end. Nobody could listen there while it lasts.
bool LeadsToItself(nng_stream* stream);
// Resets and frees such a stream. An orderly close would keep the port for
// another minute.
void ResetToItself(nng_stream* stream);

// kAlreadyExists (in use), kInvalidArgument, kPermissionDenied, kNotFound, else
// kUnavailable. `error` is one of nng's, not zero. `address` is for the text.
absl::Status ErrorStatus(int error, absl::string_view doing,
                         absl::string_view address);
// The error in words. nng's own, such as "Object closed", are not for users.
std::string ErrorText(int error);

}  // namespace nng
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_NNG_ENDPOINT_H_
