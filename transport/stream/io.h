// Io: what a backend on byte streams has of its own. It makes streams, listeners
// and operations, and calls OnDrained.
//
// StreamTransport (stream_transport.h) does the rest: frames, queues, dialling,
// TLS, admission. Errors of operations are errnos; ESHUTDOWN: the other side
// ended the stream in an orderly way. Thread-safe, unless a comment says
// otherwise. An Io takes its own streams and operations only.
//
//   absl::StatusOr<std::unique_ptr<ByteStream>> stream = io->NewStream(address);
//   Begin(dial_.get(), [&] { stream->Connect(dial_.get()); });

#ifndef CLUSTER_TRANSPORT_STREAM_IO_H_
#define CLUSTER_TRANSPORT_STREAM_IO_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "cluster/transport/address.h"
#include "cluster/transport/stream/operation.h"
#include "cluster/transport/transport.h"

namespace cluster::internal {
namespace stream {

// A connection over tcp or ipc. Its last user destroys it, when no operation is
// under way. One operation of each kind at a time.
class ByteStream {
 public:
  using Segments = absl::Span<const absl::string_view>;  // at most kSegmentsMax

  struct Sent {
    int error = 0;
    std::size_t bytes = 0;
  };

  virtual ~ByteStream() = default;

  // Connect and Receive are called on the transport's threads alone.
  virtual void Connect(Operation* operation) = 0;
  virtual void Receive(Operation* operation, absl::Span<char> room) = 0;

  // Sends what the stream takes at once, on the calling thread. None: nothing,
  // so call Send.
  virtual absl::optional<Sent> TrySend(Segments segments) = 0;
  // Sends a part when the stream takes it.
  virtual void Send(Operation* operation, Segments segments) = 0;

  // Ends its operations. Does not wait.
  virtual void Close() = 0;

  // The other end, for messages; "" if it has no address.
  virtual std::string RemoteText() const = 0;

  // Whether both ends are the same socket. That happens when one dials a free
  // port of one's own host, and the system picks that very port for the near
  // end. Nobody could listen there while it lasts.
  virtual bool LeadsToItself() const = 0;
  // Ends such a stream. An orderly close would keep the port for another
  // minute.
  virtual void Reset() = 0;
};

class Listener {
 public:
  virtual ~Listener() = default;
  virtual void Accept(Operation* operation) = 0;
  // The stream that an operation without an error has accepted. Null: it was
  // gone, or the process lacks descriptors.
  virtual std::unique_ptr<ByteStream> TakeStream() = 0;
  virtual void Close() = 0;
  virtual std::uint16_t port() const = 0;  // that it is bound to; 0: ipc
};

class Io {
 public:
  virtual ~Io() = default;

  // Once, before anything else; may start threads. kResourceExhausted: there
  // are none. kFailedPrecondition: not in this process.
  virtual absl::Status Start(TransportHandler* handler) = 0;
  // Waits for the running callbacks, after the last operation has ended.
  virtual void Stop() = 0;

  virtual std::unique_ptr<Operation> NewOperation(Operation::Done done) = 0;
  // Both take numbers (ToNumbers). Replaces a socket file that no process
  // listens on. The result is an errno, 0: none.
  virtual int Listen(const Address& numbers,
                     std::unique_ptr<Listener>* listener) = 0;
  virtual absl::StatusOr<std::unique_ptr<ByteStream>> NewStream(
      const Address& numbers) = 0;

  // OnFrame was called in the callback of a Receive, so OnDrained is due. It may
  // be called here.
  virtual void Drain() = 0;
};

}  // namespace stream
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_STREAM_IO_H_
