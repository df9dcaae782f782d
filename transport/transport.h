// Transport: carries opaque frames between servers. Each backend (zmq, nng, tcp,
// memory, yours) implements it; the cluster library uses nothing else.
//
// A frame arrives whole or not at all, at most once, in order while its
// connection lives. A broken connection is dialled again; reliability is the task
// of the sessions above. A server sends only on connections that it dialled, so
// two connections never compete. transport/contract/contract_suite.h tests all
// of this for any backend.
//
// Call every method from any thread, also concurrently, unless it says
// otherwise. The transport calls the handler on its own threads, never inside a
// method that was called on the same thread. Only Stop waits for the network. The
// handler is borrowed until Stop has returned.
//
// Set-up returns absl::Status with a text, the hot path an enum; misuse aborts. A
// failing allocation on a transport's own thread ends the process with a text
// (OrEndProcess, check.h).
//
//   auto transport = cluster::NewZmqTransport(config);  // StatusOr, like all
//   absl::Status status = (*transport)->Start(&handler, "127.0.0.1:0");
//   status = (*transport)->Connect(2, "127.0.0.1:10002", /*generation=*/1);
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
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "cluster/base/buffer_pool.h"
#include "cluster/export.h"
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

// The callbacks of a transport. Frames of one connection come in order and one
// at a time. Frames of different connections may come at the same time on
// different threads.
class CLUSTER_EXPORT TransportHandler {
 public:
  virtual ~TransportHandler() = default;

  // A frame arrived. Must not block. The handler may keep its slices as long as
  // it likes and release them on any thread.
  virtual FrameVerdict OnFrame(ReceivedFrame frame) = 0;

  // Called on a receiving thread after one or more OnFrame calls: when no frame
  // is at hand, or after about a millisecond's worth of frames. It may block
  // for as long as it likes, since user code runs in it. Within about 100 ms
  // another thread then delivers frames, of the same connections too, and calls
  // OnDrained as well.
  virtual void OnDrained() = 0;

  // There is room again. Comes once for each kBackPressured, possibly before
  // that Send has returned. None begins after Disconnect or Stop. It is a hint:
  // one that was on its way during a Disconnect may arrive when the peer is
  // dialled again. Must not block.
  virtual void OnWritable(int peer) = 0;

  // OnConnected: the connection of Connect(peer, address, generation) is there
  // (again). OnDisconnected: it broke, or an attempt failed. Frames that were
  // accepted before may be lost with a connection. A transport may report
  // repeated failed attempts once or each time. Must not block.
  //
  // Calls of one generation come in order. Disconnect and Connect do not wait
  // for a call on its way. So one of an earlier generation may come after those
  // of a later one: ignore it.
  virtual void OnConnected(int peer, std::uint64_t generation) = 0;
  virtual void OnDisconnected(int peer, std::uint64_t generation,
                              absl::string_view reason) = 0;

  // The host at the address of Connect refused an attempt: it is there, and
  // nobody listens. Comes for each such attempt that the transport knows of,
  // before the OnDisconnected, if there is one. Must not block.
  virtual void OnRefused(int /*peer*/, std::uint64_t /*generation*/) {}

  // The transport itself refused a connection, or a message on one. A flood of
  // them may come. Must not block.
  virtual void OnRejected(Rejection rejection) = 0;
};

// How long frames that were accepted before Transport::Disconnect may go out.
inline constexpr absl::Duration kPartingTime = absl::Milliseconds(200);

class CLUSTER_EXPORT Transport {
 public:
  virtual ~Transport() = default;  // stops, with no linger

  // Binds `local_address` and begins to call `handler`. Once. Every backend
  // takes the same addresses: "host:port" (port 0: any free one), "[v6]:port"
  // or "ipc:///path". A name is looked up once, for at most 5 s. kAlreadyExists:
  // the address is in use. kInvalidArgument: it does not parse. Other errors are
  // the system's and the resolver's.
  virtual absl::Status Start(TransportHandler* handler,
                             const std::string& local_address) = 0;

  // The bound address with its port resolved; "" before Start. Readable after
  // Stop.
  virtual std::string Address() const = 0;

  // Dials `peer` in the background until Disconnect, again and again with a
  // capped, jittered delay. It resolves the name anew each time. After Start
  // only. A peer that is connected already is dialled anew, at this address.
  // kInvalidArgument: the address does not parse; all is as it was.
  // `generation` names this call: OnConnected and OnDisconnected repeat it.
  // Give each call for a peer another one.
  virtual absl::Status Connect(int peer, const std::string& address,
                               std::uint64_t generation) = 0;

  // Forgets the peer. If there is a connection, accepted frames go out on it in
  // the background for at most kPartingTime, so that a last word gets through.
  // The rest is dropped, and without a connection everything. Unknown peers are
  // ignored. Does not wait for callbacks, so it may be called from one.
  virtual void Disconnect(int peer) = 0;

  // Sends a frame of at most `frame_bytes_max` bytes (more aborts), without
  // blocking. Before the first connection frames queue up to the backend's
  // bound. A frame to a peer that was never given to Connect, or after
  // Disconnect or Stop, is lost: kSent. std::bad_alloc: it took nothing, and no
  // OnWritable follows; the caller may try again when it likes.
  [[nodiscard]] virtual SendResult Send(int peer, const Frame& frame) = 0;

  // Reads the key files anew, for new connections. Peers that are no longer
  // listed, or whose public key changed, lose their connections where the
  // backend can close them. In any case it delivers nothing more from them and
  // sends nothing to them. Other peers keep their connections and lose nothing.
  // After an error (an unreadable file, say) all is as it was.
  // kFailedPrecondition: the transport was made without security. It may wait
  // for running callbacks, so do not call it from one. May be called before
  // Start.
  virtual absl::Status ReloadSecurity(const SecurityFiles& files) = 0;

  // The certificates in force, the own ones too. None where keys do not expire.
  // At any time.
  virtual std::vector<PinnedCertificate> Certificates() const { return {}; }

  // Stops receiving, tries for at most `linger` to get accepted frames out, and
  // closes all. It returns within linger and a little; then no call of the
  // handler is running or will come. Not from a callback. Idempotent.
  virtual void Stop(absl::Duration linger) = 0;
};

// Every backend takes a `frame_bytes_max` up to this: the most in 31 bits.
inline constexpr std::size_t kFrameBytesLimit = (std::size_t{1} << 31) - 1;

// The argument of a factory. `options` is the backend's own object of the
// config file ("zmq": {...}).
struct TransportConfig {
  // The memory transport keeps clusters apart by it.
  std::string cluster = "cluster";
  int server_id = 0;  // for error texts
  // How many peers will be connected; 0: unknown. Start answers
  // kResourceExhausted if the process may not open the descriptors for all of
  // them, and so does Connect for each one more.
  std::size_t peers = 0;
  // Larger ones that arrive are dropped with their connection.
  std::size_t frame_bytes_max = 16u << 20;
  // A connection that says nothing is closed.
  absl::Duration handshake_timeout = absl::Seconds(5);
  // None: plaintext. With it, a connection must prove its server's identity
  // before its frames are delivered. A backend that cannot do that refuses it.
  absl::optional<SecurityFiles> security;
  // Memory for received frames. A server shares it with its own frames, and
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
