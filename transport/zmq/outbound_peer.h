// OutboundPeer: the connection that dials one peer, a PUSH socket and its
// monitor, and the number of OnWritable calls that are owed.
//
// A number is ZeroMQ's to dial again and again. Of a name each attempt has a
// socket of its own, since each round of attempts looks the name up anew. Frames
// for a name that is not connected wait here, up to send_hwm of them.
//
// Between a kBackPressured and its OnWritable only the events' thread touches
// the socket. So no sender takes the edge on its descriptor that means "room
// again". Thread-safe; its mutex is held while one frame is handed over, and
// never over a call of the handler. Nothing blocks.
//
//   OutboundPeer peer(2, &sockets);
//   absl::Status status = peer.Dial(address, /*generation=*/1);
//   SendResult result = peer.Send(frame, frame.size());
//   auto redial_in = peer.Serve(handler);   // on the events' thread

#ifndef CLUSTER_TRANSPORT_ZMQ_OUTBOUND_PEER_H_
#define CLUSTER_TRANSPORT_ZMQ_OUTBOUND_PEER_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/optional.h"
#include "cluster/base/mutex.h"
#include "cluster/transport/address.h"
#include "cluster/transport/frame.h"
#include "cluster/transport/resolver/dial_order.h"
#include "cluster/transport/resolver/resolver.h"
#include "cluster/transport/stream/backoff.h"
#include "cluster/transport/transport.h"
#include "cluster/transport/zmq/connection_monitor.h"
#include "cluster/transport/zmq/context.h"
#include "cluster/transport/zmq/curve_keys.h"
#include "cluster/transport/zmq/refusal_probe.h"
#include "zmq.hpp"

namespace cluster::internal {
namespace zmq_backend {

// A shared_ptr owns it, if it dials names.
class OutboundPeer : public std::enable_shared_from_this<OutboundPeer> {
 public:
  using Clock = std::chrono::steady_clock;

  OutboundPeer(int id, Sockets* sockets) : id_(id), sockets_(sockets) {}
  OutboundPeer(const OutboundPeer&) = delete;
  OutboundPeer& operator=(const OutboundPeer&) = delete;
  ~OutboundPeer() { Close(0); }

  int id() const { return id_; }

  // Dials in place of the connection before. The queue is dropped; owed calls
  // stay owed. After an error all is as it was. kInvalidArgument: nobody can
  // dial that; other errors are ZeroMQ's and the resolver's.
  absl::Status Dial(const Address& address, std::uint64_t generation);

  // Goes on to dial the same address, if Serve asked for that and nothing has
  // changed since.
  absl::Status Redial();

  // Adopts the keys in force. Closes a connection that was dialled with another
  // key of this server or the peer, and dials anew, unless the peer has no key
  // now. If no dial can begin, Serve asks for a Redial.
  void UseKeys();

  // Lost if closed.
  SendResult Send(const Frame& frame, std::size_t bytes);

  // Waits until ZeroMQ has all frames. False: `deadline` came first.
  bool AwaitHandedOver(Clock::time_point deadline);

  // Queued frames have at most `linger_ms` to get out, in the background. Owed
  // calls are forgotten.
  void Close(int linger_ms);

  // Closes it. Queued frames have kPartingTime if there is a connection.
  void Part();

  // Reports the connection's news, and room if that is owed. Makes all calls of
  // the handler, on the events' thread.
  //
  // Returns when to call Redial, if the connection is gone. ZeroMQ may not try
  // again: it does not after an error of the protocol. Or it would try too
  // often: its delay starts anew with each connection, even if the peer then
  // refuses us.
  absl::optional<Clock::duration> Serve(TransportHandler* handler);

  // After a connection was lost: whether to call Probe soon.
  bool WantsProbe();
  // Reports it if nobody listens at the address that the lost connection had. On
  // the events' thread, every kProbePause. Returns whether to go on.
  static constexpr std::chrono::milliseconds kProbePause{100};
  bool Probe(TransportHandler* handler);

 private:
  enum class State {
    kClosed,
    kShutOut,  // the peer has no key, so nothing is sent to it
    kLookingUp,
    kDialling,
    kUp,
    kGone,  // and reported; needs a Redial
  };

  struct Connection {
    // To a number. `keys` and `peer` are null without security.
    Connection(Sockets* sockets, const Address& address, const CurveKeys* keys,
               const CurvePeer* peer);

    // Makes ZeroMQ dial once, for that long.
    void DialOnce(Clock::duration time);

    zmq::socket_t push;
    ConnectionMonitor monitor;  // goes before the socket
    bool room_watched = false;
    // The public keys that it was dialled with; zeros without security.
    const CurveKey own_key;
    const CurveKey peer_key;
  };

  // An OnConnected or OnDisconnected to be called.
  struct Report {
    bool connected;
    std::uint64_t generation;
    std::string reason;
  };

  // Dials the next number of `order`, or looks its name up.
  absl::Status DialLocked(DialOrder order, std::uint64_t generation)
      CLUSTER_REQUIRES(mutex_);
  absl::StatusOr<Resolver::Ticket> LookUp(const std::string& host);
  void OnFound(Resolver::Ticket ticket, absl::StatusOr<Resolver::Hosts> hosts);
  void CloseLocked(int linger_ms) CLUSTER_REQUIRES(mutex_);
  // Closes the connection and reports that. Senders that wait for room go on.
  void GiveUp(State state, std::string reason) CLUSTER_REQUIRES(mutex_);
  // It is kGone: reports that, and sets redial_in_.
  void Lose(std::string reason) CLUSTER_REQUIRES(mutex_);
  void ReportLoss(std::string reason) CLUSTER_REQUIRES(mutex_);
  void ReadMonitor() CLUSTER_REQUIRES(mutex_);
  void Note(const SocketEvent& event) CLUSTER_REQUIRES(mutex_);
  // The number of OnWritable calls that are due now: 0, or all that are owed.
  int TakeWritable();
  bool HasRoomLocked() CLUSTER_REQUIRES(mutex_);
  // Has Serve called when there may be room.
  void WatchRoom() CLUSTER_REQUIRES(mutex_);

  // Whether frames go to waiting_.
  bool Keeps() const CLUSTER_REQUIRES(mutex_) {
    return by_name_ && (state_ == State::kLookingUp ||
                        state_ == State::kDialling || state_ == State::kGone);
  }
  void SendWaiting() CLUSTER_REQUIRES(mutex_);

  const int id_;
  Sockets* const sockets_;

  Mutex mutex_{LockRank::kConnection};
  CondVar handed_over_;
  State state_ CLUSTER_GUARDED_BY(mutex_) = State::kClosed;
  DialOrder order_ CLUSTER_GUARDED_BY(mutex_);
  bool by_name_ CLUSTER_GUARDED_BY(mutex_) = false;  // its address is a name
  Resolver::Ticket look_up_ CLUSTER_GUARDED_BY(mutex_) = 0;  // 0: none
  std::deque<Frame> waiting_ CLUSTER_GUARDED_BY(mutex_);
  stream::Backoff backoff_ CLUSTER_GUARDED_BY(mutex_);
  Clock::duration redial_in_ CLUSTER_GUARDED_BY(mutex_){};  // while kGone
  Clock::time_point connected_at_ CLUSTER_GUARDED_BY(mutex_);
  // Of the last Dial.
  std::uint64_t generation_ CLUSTER_GUARDED_BY(mutex_) = 0;
  // Null when kClosed, kShutOut or kLookingUp, and sometimes when kGone.
  std::unique_ptr<Connection> connection_ CLUSTER_GUARDED_BY(mutex_);
  std::vector<Report> reports_ CLUSTER_GUARDED_BY(mutex_);
  int owed_ CLUSTER_GUARDED_BY(mutex_) = 0;  // OnWritable calls
  RefusalProbe probe_ CLUSTER_GUARDED_BY(mutex_);
  int probes_left_ CLUSTER_GUARDED_BY(mutex_) = 0;
  // Handshakes that failed in a row.
  int refusals_ CLUSTER_GUARDED_BY(mutex_) = 0;
  // Which of the peer's keys is dialled with, and whether a handshake with it has
  // failed, so that the next dial takes the next one.
  std::size_t key_turn_ CLUSTER_GUARDED_BY(mutex_) = 0;
  bool key_failed_ CLUSTER_GUARDED_BY(mutex_) = false;
};

}  // namespace zmq_backend
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_ZMQ_OUTBOUND_PEER_H_
