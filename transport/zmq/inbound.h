// Inbound: the PULL socket on which every peer's frames arrive, and the threads
// that deliver them.
//
// The receiving thread sleeps inside ZeroMQ's own receiving call, which saves
// two system calls for each frame of a dialogue. New keys, and Stop, reach it
// as a message of its own socket. Messages of more than two parts or over the
// limit are rejected; with security, so are those without a present peer's key.
// Any thread may keep and release a received frame, also after the socket is
// closed.
//
//   absl::StatusOr<std::unique_ptr<Inbound>> inbound =
//       Inbound::Open(&sockets, address, handler);
//   absl::Status status = (*inbound)->Start();
//   ...
//   (*inbound)->Stop();   // its threads do not call the handler after this

#ifndef CLUSTER_TRANSPORT_ZMQ_INBOUND_H_
#define CLUSTER_TRANSPORT_ZMQ_INBOUND_H_

#include <atomic>
#include <chrono>
#include <memory>

#include "absl/status/statusor.h"
#include "cluster/base/buffer_pool.h"
#include "cluster/base/mutex.h"
#include "cluster/transport/address.h"
#include "cluster/transport/frame.h"
#include "cluster/transport/receive_threads.h"
#include "cluster/transport/transport.h"
#include "cluster/transport/zmq/connection_monitor.h"
#include "cluster/transport/zmq/context.h"
#include "cluster/transport/zmq/curve_keys.h"
#include "zmq.hpp"

namespace cluster::internal {
namespace zmq_backend {

class Inbound {
 public:
  // Binds and listens, with the errors of Bind (endpoint.h). `sockets` and
  // `handler` are borrowed.
  static absl::StatusOr<std::unique_ptr<Inbound>> Open(
      const Sockets* sockets, const Address& address,
      TransportHandler* handler);
  Inbound(const Inbound&) = delete;
  Inbound& operator=(const Inbound&) = delete;
  // After Stop, if it was started.
  ~Inbound();

  // As given to Open, with its port resolved.
  const Address& address() const { return address_; }

  // Once each, not from a callback; Stop also after a Start that failed.
  // kResourceExhausted: the process can have no more threads.
  absl::Status Start();
  void Stop();

  // Puts other keys in force while no frame is being delivered. Between Start
  // and Stop, by one thread at a time, not from OnFrame. Another own key needs
  // a new listener: ZeroMQ closes all connections with the old one, and their
  // peers dial again. If the address cannot be bound again, the keys before
  // stay in force, and nobody can connect until a later attempt succeeds.
  absl::Status UseKeys(std::shared_ptr<const CurveKeys> keys);

  // For one thread, the events'. Readable when ZeroMQ may have turned a
  // connection away; ReportRejections reports those.
  int monitor_fd() { return monitor_.fd(); }
  void ReportRejections();

 private:
  using Clock = std::chrono::steady_clock;

  Inbound(const Sockets* sockets, const Address& address,
          TransportHandler* handler);

  // Waits for a frame, and delivers what is at hand, up to about a
  // millisecond's worth; returns whether there was a frame.
  bool Turn();
  // Takes one message, and delivers and counts it if it is a frame. False: none
  // came within `wait_ms`; 0 does not block.
  bool Take(int wait_ms, int* frames);
  bool TakePart(int wait_ms);
  // False: it is dropped, and perhaps rejected.
  bool ReadFrame(ReceivedFrame* frame);
  bool ReadParts(ReceivedFrame* frame);
  // Finds the server that sent the message, or rejects it.
  bool Identify(absl::optional<int>* identity);
  bool Reject(const char* reason, const ReceivedFrame& frame);
  Slice Share(zmq::message_t* part);

  // Makes Take return. From any thread.
  void Wake();
  bool IsWakeUp();  // of an empty message
  void ServeReload();

  // Listens with the keys in force; one attempt.
  absl::Status Listen();
  absl::Status Unlisten();
  absl::Status ListenAnew();
  void AwaitListenerClosed();

  const Sockets* const sockets_;
  TransportHandler* const handler_;
  zmq::socket_t pull_;
  // These two are the events' thread's from Start to Stop, and all below that
  // no lock guards is the receiving threads'.
  ConnectionMonitor monitor_;  // goes before the socket
  AcceptedConnections accepted_;
  Address address_;
  // The bound address, to bind again. Its host is a number: the receiving
  // thread cannot wait for name service, and the address must stay the same.
  Address bound_;
  bool listening_ = false;
  Clock::time_point listen_at_{};  // while it does not listen

  ReceiveThreads threads_;
  const std::shared_ptr<BufferPool> buffers_ = std::make_shared<BufferPool>();
  zmq::message_t incoming_;
  bool inside_parts_ = false;  // the next part goes on with a dropped message
  int wait_ms_ = -1;           // the setting of pull_; -1: for ever
  bool more_ = false;          // the last turn did not see the end of the input
  bool lone_ = false;          // the last look found no second frame
  int unlooked_ = 0;           // turns since

  Mutex wake_mutex_;
  // Sends to pull_ from within the process.
  zmq::socket_t waker_ CLUSTER_GUARDED_BY(wake_mutex_);
  std::atomic<bool> woken_{false};  // and not received yet

  Mutex reload_mutex_{LockRank::kReceiveTask};
  CondVar reloaded_;
  // Null: nothing is asked for.
  std::shared_ptr<const CurveKeys> asked_keys_
      CLUSTER_GUARDED_BY(reload_mutex_);
  absl::Status reload_status_ CLUSTER_GUARDED_BY(reload_mutex_);
};

}  // namespace zmq_backend
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_ZMQ_INBOUND_H_
