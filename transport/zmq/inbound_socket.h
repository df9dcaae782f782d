// InboundSocket: the PULL socket on which every peer's frames arrive.
//
// What it is: the bound socket, its messages as frames that share their
// buffers, and the news of connections that ZeroMQ turned away. Messages of
// more than two parts, and ones over the limit, are thrown away; with security,
// so is every message whose connection is not one of a present peer's key.
// What it is not: a thread.
//
// Threads: one at a time, unless a method says otherwise; a lock in between
// hands it over. A received frame may be kept and released anywhere, also after
// the socket is closed. Errors: Open as endpoint.h's Bind.
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
#include "cluster/transport/zmq/curve_keys.h"
#include "cluster/transport/zmq/link_monitor.h"
#include "cluster/transport/zmq/settings.h"
#include "zmq.hpp"

namespace cluster {
namespace zmq_backend {

class InboundSocket {
 public:
  enum class Result {
    kFrame,
    kRejected,  // something came that is no frame, or nobody's
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

  // Takes one message into an empty frame, waiting for it for at most `wait_ms`:
  // 0 does not block.
  static constexpr int kForEver = -1;
  Result Receive(int wait_ms, ReceivedFrame* frame, Rejection* rejection);

  // Makes one Receive answer kWoken. From any thread.
  void Wake();

  // For one thread, which may be another than Receive's. Edge-triggered, so
  // after it NextRejection until that returns false.
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
  // Whose message it is, or why it is nobody's.
  bool Identify(absl::optional<int>* identity, Rejection* rejection);
  const std::size_t frame_bytes_max_;
  const CurveKeyRing* const keys_;
  zmq::socket_t pull_;
  LinkMonitor monitor_;  // goes before the socket
  Address address_;
  // What was bound, to be bound again: its host is no name, since the receiving
  // thread cannot wait for name service, and the address is to stay the same.
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
}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_ZMQ_INBOUND_SOCKET_H_
