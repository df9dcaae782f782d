// Transport: how frames travel between servers, and nothing more.
//
// What it is: the interface that each backend (zmq, nng, memory, yours)
// implements, and that the cluster library is written against. A transport
// carries opaque frames to peers that are named by an integer: whole, at most
// once, FIFO per connection. It dials again by itself when a connection breaks.
// What it is not: reliable (sessions above it are), aware of envelopes, or a
// name service.
//
// The definition is the contract suite (transport/contract/contract_suite.h): a
// backend that passes it can be handed to NewServer.
//
// Directions: a server sends only on connections that it dialled (`Connect`),
// and what arrives on connections that others dialled is only received. So
// there is never a contest of two connections.
//
// Threads: every method may be called from any thread, and at the same time,
// unless it says otherwise. The handler is called on threads of the transport's
// own. No method but Stop waits for the network. No method calls the handler
// before it returns from the same thread (a send never calls back inline).
// Ownership: the handler is borrowed and must live until Stop has returned.
// Errors: set-up answers absl::Status with text; the hot path an enum; misuse
// of the contract aborts. An allocation that fails on a thread of the
// transport's own ends the process with a text (OrEndProcess, check.h).
//
//   cluster::TransportConfig config;
//   config.server_id = 1;
//   auto transport = cluster::NewZmqTransport(config);  // StatusOr, like all
//   absl::Status started = (*transport)->Start(&handler, "127.0.0.1:0");
//   absl::Status dialled =
//       (*transport)->Connect(2, "127.0.0.1:10002", /*generation=*/1);
//   if ((*transport)->Send(2, frame) == cluster::SendResult::kBackPressured) {
//     // keep the frame; handler.OnWritable(2) follows exactly once
//   }

#ifndef CLUSTER_TRANSPORT_TRANSPORT_H_
#define CLUSTER_TRANSPORT_TRANSPORT_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "cluster/base/buffer_pool.h"
#include "cluster/transport/frame.h"
#include "cluster/transport/options.h"
#include "cluster/transport/security.h"

namespace cluster {

enum class SendResult {
  kSent,  // the transport holds a share of the frame's slices and will send it
  kBackPressured,  // it took nothing; exactly one OnWritable(peer) follows
};

enum class FrameVerdict {
  kAccepted,
  kMalformed,  // not a frame of ours, or in another's name: close the
               // connection that it came on, where the backend can
};

// What a transport calls. Frames of one connection come in order and one at a
// time; of different connections possibly at the same time on different
// threads.
class TransportHandler {
 public:
  virtual ~TransportHandler() = default;

  // A frame arrived. Does not block. Its slices may be kept as long as one
  // likes and released on any thread.
  virtual FrameVerdict OnFrame(ReceivedFrame frame) = 0;

  // Called on a receiving thread after one or more OnFrame calls, when no
  // further frame is at hand, or at the latest after about a millisecond's
  // worth of frames. It may block for as long as it likes (user code runs in
  // it): meanwhile the transport goes on delivering frames, of the same
  // connections too, on another thread, within about 100 ms, and calls
  // OnDrained there as well.
  virtual void OnDrained() = 0;

  // After a kBackPressured: there is room again. Exactly one per kBackPressured
  // answer, possibly before that Send has returned; none begins after
  // Disconnect or Stop. It is a hint: one that a Disconnect met on its way may
  // arrive when the peer is dialled again. Does not block.
  virtual void OnWritable(int peer) = 0;

  // The connection that Connect(peer, address, generation) asked for is there
  // (again); it went, or an attempt failed, with the reason. Frames that were
  // accepted before may have been lost with a connection. Repeated failed
  // attempts may be reported once or each time. Do not block.
  //
  // Calls of one generation come in order. Disconnect and Connect do not wait
  // for a call that is on its way, so one of an earlier generation may come
  // after those of a later one: ignore it.
  virtual void OnConnected(int peer, std::uint64_t generation) = 0;
  virtual void OnDisconnected(int peer, std::uint64_t generation,
                              absl::string_view reason) = 0;

  // The transport itself turned somebody away: a connection, or a message on
  // one. A flood of them may come. Does not block.
  virtual void OnRejected(Rejection rejection) = 0;
};

// How long Transport::Disconnect lets go out what was accepted before it.
inline constexpr absl::Duration kPartingTime = absl::Milliseconds(200);

class Transport {
 public:
  virtual ~Transport() = default;  // stops, with no linger

  // Binds `local_address` and begins to call `handler`. Once. Addresses are
  // "host:port" (port 0: any free one), "[v6]:port" or "ipc:///path", the same
  // text for every backend. kAlreadyExists: the address is in use.
  // kInvalidArgument: it does not parse. Others as the system has it.
  virtual absl::Status Start(TransportHandler* handler,
                             const std::string& local_address) = 0;

  // The bound address with its port resolved; "" before Start. Readable after
  // Stop.
  virtual std::string Address() const = 0;

  // Dials `peer` in the background, again and again with a capped, jittered
  // delay, the name resolved anew each time, until Disconnect. After Start
  // only. kInvalidArgument: the address does not parse. A peer that is
  // connected already is dialled anew, at this address. After an error all is
  // as it was. `generation` is the caller's name for what this call asks for;
  // OnConnected and OnDisconnected repeat it. Each call for a peer should have
  // another one.
  virtual absl::Status Connect(int peer, const std::string& address,
                               std::uint64_t generation) = 0;

  // Forgets the peer. If there is a connection, what was accepted before goes
  // out on it in the background, so that a last word gets through; what is not
  // out within kPartingTime is dropped. Without a connection everything is
  // dropped at once. Unknown peers are ignored. Does not wait for callbacks,
  // so it may be called from one.
  virtual void Disconnect(int peer) = 0;

  // Sends a frame of at most `frame_bytes_max` bytes (more aborts), without
  // blocking. Before the first connection frames queue up to the backend's
  // bound. A frame to a peer that was never given to Connect, or after
  // Disconnect or Stop, is lost: kSent. std::bad_alloc: memory ended, it took
  // nothing, and no OnWritable follows; the caller may try again when it likes.
  [[nodiscard]] virtual SendResult Send(int peer, const Frame& frame) = 0;

  // Reads the key files anew. New connections use them; those of peers that
  // are no longer listed, or whose public key is another one, are closed, where
  // the backend can, and in any case nothing of theirs is delivered from then
  // on and nothing sent to them. The others keep their connections and lose
  // nothing. After an error (an unreadable file, say) all is as it was.
  // kFailedPrecondition: the transport was made without security. Reads files,
  // and may wait for callbacks that are running; so not from one. May be called
  // before Start.
  virtual absl::Status ReloadSecurity(const SecurityFiles& files) = 0;

  // Stops receiving, tries for at most `linger` to get out what was accepted,
  // closes all. When it returns, within linger and a little, no call of the
  // handler is running or will come. Not from a callback. Idempotent.
  virtual void Stop(absl::Duration linger) = 0;
};

// Every backend takes this as `frame_bytes_max`: what 31 bits can say.
inline constexpr std::size_t kFrameBytesLimit = (std::size_t{1} << 31) - 1;

// What a factory is given. `options` is the backend's own object of the config
// file ("zmq": {...}).
struct TransportConfig {
  // The memory transport keeps clusters apart by it.
  std::string cluster = "cluster";
  int server_id = 0;  // for error texts
  // How many peers are to be connected: Start answers kResourceExhausted where
  // the process may not open the descriptors for all of them, and Connect for
  // each one more. 0: not known.
  std::size_t peers = 0;
  // Larger ones that arrive are dropped with their connection.
  std::size_t frame_bytes_max = 16u << 20;
  // A connection that says nothing is closed.
  absl::Duration handshake_timeout = absl::Seconds(5);
  // None: plaintext. With it, a connection has to prove who it is before a
  // frame of it is delivered. A backend that cannot do that refuses it.
  absl::optional<SecurityFiles> security;
  // Where what arrives may be put. A server shares it with its own frames, and
  // trims it.
  std::shared_ptr<BufferPool> buffers = std::make_shared<BufferPool>();
  TransportOptions options;
};

// Makes a transport, or says which option is wrong and what is allowed.
using TransportFactory =
    std::function<absl::StatusOr<std::unique_ptr<Transport>>(
        const TransportConfig& config)>;

}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_TRANSPORT_H_
