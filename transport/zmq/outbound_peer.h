// OutboundPeer: the PUSH socket that dials one peer, its monitor, and the
// number of OnWritable calls that are owed.
//
// Between a kBackPressured and its OnWritable only the events' thread touches
// the socket. So no sender takes the edge on its descriptor that means "room
// again". The peer calls no handler; it returns what to call.
//
// Thread-safe; its mutex is held while one frame is handed over. Nothing
// blocks. Dial returns ZeroMQ's errors.
//
//   OutboundPeer peer(2, &sockets);
//   absl::Status status = peer.Dial(address, /*generation=*/1);
//   SendResult result = peer.Send(frame, frame.size());

#ifndef CLUSTER_TRANSPORT_ZMQ_OUTBOUND_PEER_H_
#define CLUSTER_TRANSPORT_ZMQ_OUTBOUND_PEER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cluster/base/buffer_pool.h"
#include "cluster/base/mutex.h"
#include "cluster/transport/address.h"
#include "cluster/transport/frame.h"
#include "cluster/transport/transport.h"
#include "cluster/transport/zmq/connection_monitor.h"
#include "cluster/transport/zmq/curve_keys.h"
#include "cluster/transport/zmq/poll_set.h"
#include "cluster/transport/zmq/settings.h"
#include "zmq.hpp"

namespace cluster::internal {
namespace zmq_backend {

// Shared by the peers of one transport; outlives them.
struct Sockets {
  ZmqSettings settings;
  // From Start on.
  std::shared_ptr<zmq::context_t> context;
  std::unique_ptr<PollSet> poll_set;
  std::unique_ptr<CurveKeyRing> keys;  // null: no security
  const std::shared_ptr<BufferPool> buffers = std::make_shared<BufferPool>();
};

// The owner of a descriptor of the poll set, a part of its key.
enum class Watched : std::uint64_t {
  kMonitor = 0,
  kRoom = 1,
  kInboundMonitor = 2,
};

inline PollSet::Key WatchKey(Watched what, int peer) {
  return static_cast<std::uint64_t>(what) << 32 |
         static_cast<std::uint32_t>(peer);
}
inline Watched WhatOf(PollSet::Key key) {
  return static_cast<Watched>(key >> 32);
}
inline int PeerOf(PollSet::Key key) {
  return static_cast<int>(static_cast<std::uint32_t>(key));
}

// An OnConnected or OnDisconnected to be called.
struct SessionReport {
  bool connected = false;
  std::uint64_t generation = 0;
  std::string reason;
};

class OutboundPeer {
 public:
  OutboundPeer(int id, Sockets* sockets) : id_(id), sockets_(sockets) {}
  OutboundPeer(const OutboundPeer&) = delete;
  OutboundPeer& operator=(const OutboundPeer&) = delete;
  ~OutboundPeer() { Close(0); }

  int id() const { return id_; }

  // Dials in place of the connection before. The queue is dropped; owed calls
  // stay owed. After an error all is as it was.
  absl::Status Dial(const Address& address, std::uint64_t generation);

  // Dials the same address anew, unless closed.
  absl::Status Redial();
  // Adopts the keys in force. Closes a connection that was dialled with another
  // key of this server or the peer, and dials anew, unless the peer has no key
  // now. If no dial can begin, TakeReports asks for a Redial.
  void UseKeys();

  // Lost if closed.
  SendResult Send(const Frame& frame, std::size_t bytes);

  // Queued frames have at most `linger_ms` to get out, in the background. Owed
  // calls are forgotten.
  void Close(int linger_ms);

  // Closes it. Queued frames have kPartingTime if there is a connection.
  void Part();

  // The number of OnWritable calls that are due now: 0, or all that are owed.
  int TakeWritable();

  // Appends the monitor's news. Returns whether the connection is gone and
  // needs a Redial. ZeroMQ may not have announced that it tries again; after an
  // error of the protocol it does not. Or it would try too often: its delay
  // starts anew with each connection, even if the peer then refuses us.
  bool TakeReports(std::vector<SessionReport>* reports);

 private:
  struct Connection {
    // `keys` and `peer` are null without security.
    Connection(Sockets* sockets, const Address& address, const CurveKeys* keys,
               const CurvePeer* peer);
    bool Uses(const CurveKeys& keys, const CurvePeer& peer) const {
      return own_key == keys.own_public() && peer_key == peer.key;
    }

    zmq::socket_t push;
    ConnectionMonitor monitor;  // goes before the socket
    bool room_watched = false;
    // The public keys that it was dialled with; zeros without security.
    const CurveKey own_key;
    const CurveKey peer_key;
  };

  absl::Status DialLocked(const Address& address, std::uint64_t generation)
      CLUSTER_REQUIRES(mutex_);
  SessionReport Loss(std::string reason) const CLUSTER_REQUIRES(mutex_) {
    return {false, generation_, std::move(reason)};
  }
  void HangUpLocked() CLUSTER_REQUIRES(mutex_);
  void AbandonLocked(absl::string_view reason) CLUSTER_REQUIRES(mutex_);
  void CloseLocked(int linger_ms) CLUSTER_REQUIRES(mutex_);
  void Report(const ConnectionEvent& event, std::vector<SessionReport>* reports)
      CLUSTER_REQUIRES(mutex_);
  void Pause() CLUSTER_REQUIRES(mutex_);

  const int id_;
  Sockets* const sockets_;

  Mutex mutex_{LockRank::kConnection};
  Address address_ CLUSTER_GUARDED_BY(mutex_);
  // Of what is dialled.
  std::uint64_t generation_ CLUSTER_GUARDED_BY(mutex_) = 0;
  // Null: closed, or shut out.
  std::unique_ptr<Connection> connection_ CLUSTER_GUARDED_BY(mutex_);
  // The peer has no key, so nothing is sent to it.
  bool shut_out_ CLUSTER_GUARDED_BY(mutex_) = false;
  // News that the monitor, which is gone, did not tell.
  std::vector<SessionReport> untold_ CLUSTER_GUARDED_BY(mutex_);
  int owed_ CLUSTER_GUARDED_BY(mutex_) = 0;  // OnWritable calls
  bool up_ CLUSTER_GUARDED_BY(mutex_) = false;
  // The retry that follows is no news.
  bool loss_told_ CLUSTER_GUARDED_BY(mutex_) = false;
  bool abandoned_ CLUSTER_GUARDED_BY(mutex_) = false;
  // Handshakes that failed in a row.
  int refusals_ CLUSTER_GUARDED_BY(mutex_) = 0;
};

}  // namespace zmq_backend
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_ZMQ_OUTBOUND_PEER_H_
