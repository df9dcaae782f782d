// ReceiveLoop: what the receiving threads of a transport do.
//
// What it is: two threads, of which one receives and calls the handler, and the
// other takes over while the first is held up in OnDrained (relief.h). The one
// that receives sleeps until a frame, a connection's news, room in a socket
// that was full, or Stop wakes it; a timer runs only while a connection is
// waiting to be dialled again, or the address to be bound again.
// What it is not: the sending side; that runs on the callers' threads.
//
// Threads: Start and Stop once each, not from a callback. Everything is
// borrowed and must live until Stop has returned. Errors: none.
//
//   ReceiveLoop loop(&sockets, &peers, inbound.get(), handler);
//   loop.Start();
//   ...
//   loop.Stop();   // no call of the handler is running after this

#ifndef TRANSPORT_ZMQ_RECEIVE_LOOP_H_
#define TRANSPORT_ZMQ_RECEIVE_LOOP_H_

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "transport/relief.h"
#include "transport/transport.h"
#include "transport/zmq/inbound_socket.h"
#include "transport/zmq/outbound_peer.h"
#include "transport/zmq/peer_table.h"

namespace cluster {
namespace zmq_backend {

class ReceiveLoop {
 public:
  ReceiveLoop(Sockets* sockets, PeerTable* peers, InboundSocket* inbound,
              TransportHandler* handler);
  ReceiveLoop(const ReceiveLoop&) = delete;
  ReceiveLoop& operator=(const ReceiveLoop&) = delete;

  void Start();
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
  // Delivers what is at hand, up to about a millisecond's worth; returns how
  // many frames.
  int Burst();
  void Serve(PollSet::Key key);
  void ServeMonitor(OutboundPeer* peer);
  void ServeRoom(OutboundPeer* peer);
  void ServeInboundMonitor();
  void ServeTask();

  // Dials peers that ZeroMQ has given up.
  void RedialDue();
  void ScheduleRedial(int peer);
  // Listens again, if a reload of the keys could not.
  void ListenDue();
  int WaitMilliseconds() const;

  Sockets* const sockets_;
  PeerTable* const peers_;
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
  bool inbound_ready_ = true;  // the last burst did not see the end
  std::vector<LinkReport> reports_;
  std::map<int, Clock::time_point> redials_;  // by peer
  Clock::time_point listen_at_{};             // where it does not listen
  std::minstd_rand random_;
};

}  // namespace zmq_backend
}  // namespace cluster

#endif  // TRANSPORT_ZMQ_RECEIVE_LOOP_H_
