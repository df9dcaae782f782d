// Converts addresses to nng's endpoints, and nng's errors to errnos.
//
// The rest of the backend treats the schemes (tcp, ipc) alike. nng gets numbers
// only, so it never looks a name up. Functions without state.

#ifndef CLUSTER_TRANSPORT_NNG_ENDPOINT_H_
#define CLUSTER_TRANSPORT_NNG_ENDPOINT_H_

#include <nng/nng.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
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
// file that no process listens on. The result is one of nng's errors, 0: none.
int OpenListener(const Address& numbers, const TcpOptions& options,
                 nng_stream_listener** listener);
// 0: ipc.
std::uint16_t BoundPort(nng_stream_listener* listener);

// On success the caller owns `*dialer`. FreeDialer frees it later and does not
// wait.
absl::Status OpenDialer(const Address& numbers, const TcpOptions& options,
                        nng_stream_dialer** dialer);
void FreeDialer(nng_stream_dialer* dialer);

// Waits until nng has freed all that nng_stream_free and FreeDialer got before;
// a stream's descriptor stays open until then. False: `deadline` came first. Do
// not call it in a callback of nng.
bool AwaitReaper(std::chrono::steady_clock::time_point deadline);

// The address of the other end of `stream`; "" if it is not of TCP.
std::string RemoteText(nng_stream* stream);

// As ByteStream says (transport/stream/io.h).
bool LeadsToItself(nng_stream* stream);
void ResetToItself(nng_stream* stream);

// The errno for an error of nng; 0: none.
int ToErrno(int error);

}  // namespace nng
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_NNG_ENDPOINT_H_
