// ReceiveLoop: the work of the receiving threads of a transport.
//
// The receiving thread sleeps inside ZeroMQ's own receiving call. That saves
// two system calls for each frame of a dialogue. A task, and Stop, reach it as
// a message of its own socket.
//
// Start and Stop once each, not from a callback; Stop also after a Start that
// failed. Everything is borrowed and must live until Stop has returned.
//
//   ReceiveLoop loop(inbound.get(), handler);
//   absl::Status status = loop.Start();
//   ...
//   loop.Stop();   // no call of the handler is running after this

#ifndef CLUSTER_TRANSPORT_ZMQ_RECEIVE_LOOP_H_
#define CLUSTER_TRANSPORT_ZMQ_RECEIVE_LOOP_H_

#include <chrono>
#include <functional>

#include "absl/status/status.h"
#include "cluster/base/mutex.h"
#include "cluster/transport/receive_threads.h"
#include "cluster/transport/transport.h"
#include "cluster/transport/zmq/inbound_socket.h"

namespace cluster::internal {
namespace zmq_backend {

class ReceiveLoop {
 public:
  ReceiveLoop(InboundSocket* inbound, TransportHandler* handler);
  ReceiveLoop(const ReceiveLoop&) = delete;
  ReceiveLoop& operator=(const ReceiveLoop&) = delete;

  // kResourceExhausted: the process can have no more threads.
  absl::Status Start();
  void Stop();

  // Runs `task` on the receiving thread, where it may use the inbound socket,
  // and waits for it: no frame is being delivered meanwhile. One at a time; not
  // from OnFrame. False: Stop came first.
  bool Perform(const std::function<void()>& task);

 private:
  using Clock = std::chrono::steady_clock;

  // Waits for a frame, and delivers what is at hand, up to about a
  // millisecond's worth; returns whether there was a frame.
  bool Burst();
  // Takes one message, and counts it if it is a frame. False: none came.
  bool Take(int wait_ms, int* frames);
  void ServeTask();

  // Listens again, if a reload of the keys could not.
  void ListenDue();

  InboundSocket* const inbound_;
  TransportHandler* const handler_;

  ReceiveThreads threads_;

  Mutex task_mutex_{LockRank::kReceiveTask};
  CondVar task_changed_;
  // Asked for and not done.
  const std::function<void()>* task_ CLUSTER_GUARDED_BY(task_mutex_) = nullptr;
  bool tasks_closed_ CLUSTER_GUARDED_BY(task_mutex_) = false;

  // All below is Burst's.
  bool more_ = false;  // the last burst did not see the end of the input
  bool lone_ = false;  // the last look found no second frame
  int unlooked_ = 0;   // bursts since
  Clock::time_point listen_at_{};  // where it does not listen
};

}  // namespace zmq_backend
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_ZMQ_RECEIVE_LOOP_H_
