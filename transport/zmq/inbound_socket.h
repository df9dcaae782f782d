// InboundSocket: the PULL socket on which every peer's frames arrive.
//
// It hands over messages as frames that share their buffers, and reports
// connections that ZeroMQ turned away. It rejects messages of more than two
// parts and ones over the limit. With security it also rejects messages whose
// connection has no present peer's key.
//
// One thread at a time, unless a method says otherwise; a lock hands it over.
// Any thread may keep and release a received frame, also after the socket is
// closed. Open returns the errors of Bind (endpoint.h).
//
//   absl::StatusOr<std::unique_ptr<InboundSocket>> inbound =
//       InboundSocket::Open(&context, settings, nullptr, address);
//   ReceivedFrame frame;
//   Rejection rejection;
//   while ((*inbound)->Receive(0, &frame, &rejection) !=
//          InboundSocket::Result::kEmpty) ...

#ifndef CLUSTER_TRANSPORT_ZMQ_INBOUND_SOCKET_H_
#define CLUSTER_TRANSPORT_ZMQ_INBOUND_SOCKET_H_

#include <atomic>
#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "cluster/base/buffer_pool.h"
#include "cluster/base/mutex.h"
#include "cluster/transport/address.h"
#include "cluster/transport/frame.h"
#include "cluster/transport/security.h"
#include "cluster/transport/zmq/connection_monitor.h"
#include "cluster/transport/zmq/curve_keys.h"
#include "cluster/transport/zmq/settings.h"
#include "zmq.hpp"

namespace cluster::internal {
namespace zmq_backend {

class InboundSocket {
 public:
  enum class Result {
    kFrame,
    kRejected,  // a message that is no frame, or has no present peer's key
    kDropped,   // a part of a message that will be rejected with its last
    kWoken,     // Wake was called
    kEmpty,     // nothing came in time
  };

  // `keys` is borrowed; null: no security.
  static absl::StatusOr<std::unique_ptr<InboundSocket>> Open(
      zmq::context_t* context, const ZmqSettings& settings,
      const CurveKeyRing* keys, const Address& address);
  InboundSocket(const InboundSocket&) = delete;
  InboundSocket& operator=(const InboundSocket&) = delete;
  ~InboundSocket();

  // As given to Open, with its port resolved.
  const Address& address() const { return address_; }

  // Takes one message into an empty frame, waiting for it for at most
  // `wait_ms`: 0 does not block.
  static constexpr int kForEver = -1;
  Result Receive(int wait_ms, ReceivedFrame* frame, Rejection* rejection);

  // Makes one Receive answer kWoken. From any thread.
  void Wake();

  // For one thread, which may be another than Receive's. Edge-triggered, so
  // call NextRejection afterwards until it returns false.
  int monitor_fd() { return monitor_.fd(); }
  bool NextRejection(Rejection* rejection);

  // Listens with the keys that are in force now. ZeroMQ closes all connections
  // with the old listener; their peers dial again. If the address cannot be
  // bound again, nobody can connect until a call of TryToListen succeeds.
  absl::Status ListenAnew();
  bool listening() const { return listening_; }
  // The same where it does not listen: one attempt, which takes no time.
  absl::Status TryToListen();

 private:
  InboundSocket(zmq::context_t* context, const ZmqSettings& settings,
                const CurveKeyRing* keys, const Address& address);

  absl::Status BindAndNote();
  absl::Status Unbind();
  void AwaitListenerClosed();
  bool TakePart(int wait_ms);
  bool IsWakeUp();  // of an empty message
  Result ReceiveParts(ReceivedFrame* frame, Rejection* rejection);
  Result Reject(const char* reason, const ReceivedFrame& frame,
                Rejection* rejection) const;
  Slice Share(zmq::message_t* part);
  // Finds the server that sent the message, or the reason to reject it.
  bool Identify(absl::optional<int>* identity, Rejection* rejection);
  const std::size_t frame_bytes_max_;
  const CurveKeyRing* const keys_;
  zmq::socket_t pull_;
  ConnectionMonitor monitor_;  // goes before the socket
  Address address_;
  // The bound address, to bind again. Its host is a number: the receiving
  // thread cannot wait for name service, and the address must stay the same.
  Address bound_;
  bool listening_ = false;
  int wait_ms_ = kForEver;  // what the socket is set to

  Mutex wake_mutex_;
  // Sends to pull_ from within the process.
  zmq::socket_t waker_ CLUSTER_GUARDED_BY(wake_mutex_);
  std::atomic<bool> woken_{false};  // and not received yet
  const std::shared_ptr<BufferPool> buffers_ = std::make_shared<BufferPool>();
  zmq::message_t incoming_;
  bool inside_parts_ = false;  // the next part goes on with a dropped message
};

}  // namespace zmq_backend
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_ZMQ_INBOUND_SOCKET_H_
