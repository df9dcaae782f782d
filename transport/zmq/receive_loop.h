// ReceiveLoop: what the receiving threads of a transport do.
//
// What it is: two threads, of which one receives and calls the handler, and the
// other takes over while the first is held up in OnDrained (relief.h). The one
// that receives sleeps inside ZeroMQ's own receiving call, as a program that
// knows nothing else would, which saves two system calls for each frame of a
// dialogue; a task, and Stop, reach it as a message of its own socket's.
// What it is not: the sending side, which runs on the callers' threads, or the
// news of connections (event_loop.h).
//
// Threads: Start and Stop once each, not from a callback. Everything is
// borrowed and must live until Stop has returned. Errors: Start's, after which
// Stop is still to be called: one thread may be running.
//
//   ReceiveLoop loop(inbound.get(), handler);
//   absl::Status status = loop.Start();
//   ...
//   loop.Stop();   // no call of the handler is running after this

#ifndef CLUSTER_TRANSPORT_ZMQ_RECEIVE_LOOP_H_
#define CLUSTER_TRANSPORT_ZMQ_RECEIVE_LOOP_H_

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "absl/status/status.h"
#include "cluster/transport/relief.h"
#include "cluster/transport/transport.h"
#include "cluster/transport/zmq/inbound_socket.h"

namespace cluster {
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

  void Run();

  // Until there are frames to be followed by an OnDrained (true) or Stop was
  // called (false).
  bool Turn();
  // Waits for a frame, and delivers what is at hand, up to about a
  // millisecond's worth; returns how many frames.
  int Burst();
  // Takes one message, and counts it if it is a frame. False: none came.
  bool Take(int wait_ms, int* frames);
  void ServeTask();

  // Listens again, if a reload of the keys could not.
  void ListenDue();

  InboundSocket* const inbound_;
  TransportHandler* const handler_;

  std::atomic<bool> stopping_{false};
  Relief relief_;
  std::array<std::thread, 2> threads_;

  std::mutex task_mutex_;
  std::condition_variable task_changed_;
  const std::function<void()>* task_ = nullptr;  // asked for and not done
  bool tasks_closed_ = false;

  // All below belong to the thread that holds the role.
  bool more_ = false;  // the last burst did not see the end of the input
  bool lone_ = false;  // the last look found no second frame
  int unlooked_ = 0;   // bursts since
  Clock::time_point listen_at_{};  // where it does not listen
};

}  // namespace zmq_backend
}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_ZMQ_RECEIVE_LOOP_H_
