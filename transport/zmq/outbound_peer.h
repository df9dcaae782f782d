// OutboundPeer: one peer that is sent to.
//
// What it is: the PUSH socket that dials the peer, its monitor, and the count
// of OnWritable calls that are owed. Between a kBackPressured and its
// OnWritable only the events' thread touches the socket, so that the edge on
// the socket's descriptor that says "room again" is never taken by a sender.
// What it is not: the caller of the handler; what has to be called is returned.
//
// Threads: all methods from any thread; a mutex per peer, held for as long as
// it takes to hand over one frame. Nothing blocks. Errors: Dial says what
// ZeroMQ says.
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
#include "cluster/transport/zmq/curve_keys.h"
#include "cluster/transport/zmq/link_monitor.h"
#include "cluster/transport/zmq/poll_set.h"
#include "cluster/transport/zmq/settings.h"
#include "zmq.hpp"

namespace cluster {
namespace zmq_backend {

// What the peers of one transport share; it outlives them.
struct Sockets {
  ZmqSettings settings;
  // From Start on.
  std::shared_ptr<zmq::context_t> context;
  std::unique_ptr<PollSet> poll_set;
  std::unique_ptr<CurveKeyRing> keys;  // null: no security
  const std::shared_ptr<BufferPool> buffers = std::make_shared<BufferPool>();
};

// What a descriptor of the poll set belongs to, as its key.
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
struct LinkReport {
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

  // Dials, in place of what was dialled before: its queue is dropped, but what
  // is owed stays owed. After an error all is as it was.
  absl::Status Dial(const Address& address, std::uint64_t generation);

  // Dials the same address anew, unless closed.
  absl::Status Redial();
  // The keys in force may be others: dials anew if the peer's or the own one is
  // not what was dialled with; hangs up if the peer has none. What was dialled
  // with other keys is closed in any case; where no new dial can begin,
  // somebody has to call Redial (TakeReports says so).
  void UseKeys();

  // Lost if closed.
  SendResult Send(const Frame& frame, std::size_t bytes);

  // What is queued has at most `linger_ms` to get out, in the background. What
  // is owed is forgotten.
  void Close(int linger_ms);

  // Closes it; what is queued has kPartingTime if there is a connection.
  void Part();

  // How many OnWritable calls are due now: none, or all that are owed.
  int TakeWritable();

  // Appends what the monitor has to tell. Returns whether the connection is
  // gone and somebody has to call Redial: because ZeroMQ has not (yet) said
  // that it tries again, which after an error of the protocol it does not; or
  // because it would try too often. Its delay starts anew where a connection
  // was made, though the peer then refused us.
  bool TakeReports(std::vector<LinkReport>* reports);

 private:
  struct Connection {
    // `keys` and `peer` are null without security.
    Connection(Sockets* sockets, const Address& address, const CurveKeys* keys,
               const CurvePeer* peer);
    bool Uses(const CurveKeys& keys, const CurvePeer& peer) const {
      return own_key == keys.own_public() && peer_key == peer.key;
    }

    zmq::socket_t push;
    LinkMonitor monitor;  // goes before the socket
    bool room_watched = false;
    // The public keys that it was dialled with; zeros without security.
    const CurveKey own_key;
    const CurveKey peer_key;
  };

  absl::Status DialLocked(const Address& address, std::uint64_t generation)
      CLUSTER_REQUIRES(mutex_);
  LinkReport Loss(std::string reason) const CLUSTER_REQUIRES(mutex_) {
    return {false, generation_, std::move(reason)};
  }
  void HangUpLocked() CLUSTER_REQUIRES(mutex_);
  void AbandonLocked(absl::string_view reason) CLUSTER_REQUIRES(mutex_);
  void CloseLocked(int linger_ms) CLUSTER_REQUIRES(mutex_);
  void Report(const LinkEvent& event, std::vector<LinkReport>* reports)
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
  std::vector<LinkReport> untold_ CLUSTER_GUARDED_BY(mutex_);
  int owed_ CLUSTER_GUARDED_BY(mutex_) = 0;  // OnWritable calls
  bool up_ CLUSTER_GUARDED_BY(mutex_) = false;
  // The retry that follows is no news.
  bool loss_told_ CLUSTER_GUARDED_BY(mutex_) = false;
  bool abandoned_ CLUSTER_GUARDED_BY(mutex_) = false;
  // Handshakes that failed in a row.
  int refusals_ CLUSTER_GUARDED_BY(mutex_) = 0;
};

}  // namespace zmq_backend
}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_ZMQ_OUTBOUND_PEER_H_
