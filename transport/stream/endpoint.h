// Listening at an address, the addresses of sockets, and errnos in words.
//
// Functions without state, for backends on byte streams.

#ifndef CLUSTER_TRANSPORT_STREAM_ENDPOINT_H_
#define CLUSTER_TRANSPORT_STREAM_ENDPOINT_H_

#include <sys/socket.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cluster/transport/address.h"
#include "cluster/transport/stream/io.h"

namespace cluster::internal {
namespace stream {

// Binds and listens. Replaces a socket file that no process listens on, and
// leaves any other file alone. A name's numbers are tried in turn; it waits for
// the resolver.
absl::Status OpenListener(Io* io, const Address& address,
                          std::unique_ptr<Listener>* listener);

// "127.0.0.1:80", of `name`, or of this end or the other end of a socket; "" if
// it is not of TCP.
std::string TcpText(const sockaddr_storage& name);
std::string LocalText(int fd);
std::string RemoteText(int fd);

// For ByteStream::Reset.
void ResetSocket(int fd);

// kAlreadyExists (in use), kInvalidArgument, kPermissionDenied, kNotFound, else
// kUnavailable. `address` is for the text.
absl::Status ErrorStatus(int error, absl::string_view doing,
                         absl::string_view address);
// An errno of an operation (io.h) in words.
std::string ErrorText(int error);

}  // namespace stream
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_STREAM_ENDPOINT_H_
