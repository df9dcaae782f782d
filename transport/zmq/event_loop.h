// EventLoop: the thread on which a transport learns of its connections.
//
// It sleeps until a connection has news, a full socket has room, or Stop wakes
// it. A timer runs only while a connection waits to be dialled again. Its
// callbacks do not block, so one thread is enough; frames arrive elsewhere
// (receive_loop.h).
//
// Call Start and Stop once each, not from a callback. After a failed Start,
// Stop does nothing. Everything is borrowed and must live until Stop has
// returned.
//
//   EventLoop loop(&sockets, &peers, inbound.get(), handler);
//   absl::Status status = loop.Start();
//   ...
//   loop.Stop();   // no call of the handler is running after this

#ifndef CLUSTER_TRANSPORT_ZMQ_EVENT_LOOP_H_
#define CLUSTER_TRANSPORT_ZMQ_EVENT_LOOP_H_

#include <atomic>
#include <chrono>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "cluster/transport/transport.h"
#include "cluster/transport/zmq/inbound_socket.h"
#include "cluster/transport/zmq/outbound_peer.h"
#include "cluster/transport/zmq/peer_table.h"

namespace cluster::internal {
namespace zmq_backend {

class EventLoop {
 public:
  EventLoop(Sockets* sockets, PeerTable* peers, InboundSocket* inbound,
            TransportHandler* handler);
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // kResourceExhausted: the process can have no more threads.
  absl::Status Start();
  void Stop();

 private:
  using Clock = std::chrono::steady_clock;

  void Run();
  void Serve(PollSet::Key key);
  void ServeAll();
  void ServeMonitor(OutboundPeer* peer);
  void ServeRoom(OutboundPeer* peer);
  void ServeInboundMonitor();

  // Dials peers that ZeroMQ has given up.
  void RedialDue();
  void ScheduleRedial(int peer);
  int WaitMilliseconds() const;

  Sockets* const sockets_;
  PeerTable* const peers_;
  InboundSocket* const inbound_;
  TransportHandler* const handler_;

  std::atomic<bool> stopping_{false};
  std::thread thread_;

  // The thread's own.
  std::vector<SessionReport> reports_;
  std::map<int, Clock::time_point> redials_;  // by peer
  std::minstd_rand random_;
};

}  // namespace zmq_backend
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_ZMQ_EVENT_LOOP_H_
