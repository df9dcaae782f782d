#include "cluster/transport/zmq/outbound_peer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/transport/zmq/endpoint.h"
#include "cluster/transport/zmq/outbound_message.h"

namespace cluster::internal {
namespace zmq_backend {
namespace {

// After so many handshakes that failed in a row, ZeroMQ no longer dials by
// itself. A network that cuts connections seldom hits so many.
constexpr int kRefusalsMax = 8;

}  // namespace

OutboundPeer::Connection::Connection(Sockets* sockets, const Address& address,
                                     const CurveKeys* keys,
                                     const CurvePeer* peer)
    : push(*sockets->context, zmq::socket_type::push),
      monitor(sockets->context.get(), &push,
              ConnectionMonitor::Scope::kDialled),
      own_key(keys == nullptr ? CurveKey{} : keys->own_public()),
      peer_key(peer == nullptr ? CurveKey{} : peer->key) {
  SetUpPush(sockets->settings, address, &push);
  if (keys != nullptr) SecurePush(*keys, *peer, &push);
}

absl::Status OutboundPeer::Dial(const Address& address,
                                std::uint64_t generation) {
  MutexLock lock(&mutex_);
  return DialLocked(address, generation);
}

absl::Status OutboundPeer::Redial() {
  MutexLock lock(&mutex_);
  if (!abandoned_) return absl::OkStatus();
  return DialLocked(address_, generation_);
}

absl::Status OutboundPeer::DialLocked(const Address& address,
                                      std::uint64_t generation) {
  absl::StatusOr<std::string> endpoint = DialEndpoint(address);
  if (!endpoint.ok()) return endpoint.status();
  std::shared_ptr<const CurveKeys> keys;
  if (sockets_->keys != nullptr) keys = sockets_->keys->Get();
  const CurvePeer* const peer = keys == nullptr ? nullptr : keys->FindPeer(id_);
  if (keys != nullptr && peer == nullptr) {
    address_ = address;
    generation_ = generation;
    HangUpLocked();
    return absl::OkStatus();
  }
  std::unique_ptr<Connection> connection;
  absl::Status status = CatchZmq(absl::StrCat("dial ", *endpoint), [&] {
    connection =
        std::make_unique<Connection>(sockets_, address, keys.get(), peer);
    CallZmq([&] {
      return zmq_connect(connection->push.handle(), endpoint->c_str());
    });
  });
  if (!status.ok()) return status;

  CloseLocked(0);
  sockets_->poll_set->Add(connection->monitor.fd(),
                          WatchKey(Watched::kMonitor, id_));
  connection_ = std::move(connection);
  address_ = address;
  generation_ = generation;
  up_ = loss_told_ = abandoned_ = shut_out_ = false;
  if (owed_ > 0) sockets_->poll_set->Wake();
  return absl::OkStatus();
}

// To a peer without a key. Whoever waits for room may as well go on: what it
// sends is lost.
void OutboundPeer::HangUpLocked() {
  CloseLocked(0);
  up_ = abandoned_ = false;
  shut_out_ = true;
  untold_.push_back(Loss(
      absl::StrCat("not connected: server ", id_, " has no public key here")));
  sockets_->poll_set->Wake();
}

void OutboundPeer::UseKeys() {
  MutexLock lock(&mutex_);
  if (connection_ == nullptr && !shut_out_) return;
  const std::shared_ptr<const CurveKeys> keys = sockets_->keys->Get();
  const CurvePeer* const peer = keys->FindPeer(id_);
  if (peer == nullptr) {
    if (!shut_out_) HangUpLocked();
    return;
  }
  if (connection_ != nullptr && connection_->Uses(*keys, *peer)) return;
  // Before anything can fail: who holds the old key may be a thief.
  CloseLocked(0);
  if (absl::Status status = DialLocked(address_, generation_); !status.ok())
    AbandonLocked(status.message());
}

// Whoever waits for room may as well go on: there is no connection to lose.
void OutboundPeer::AbandonLocked(absl::string_view reason) {
  up_ = shut_out_ = false;
  loss_told_ = abandoned_ = true;
  untold_.push_back(Loss(std::string(reason)));
  sockets_->poll_set->Wake();
}

SendResult OutboundPeer::Send(const Frame& frame, std::size_t bytes) {
  MutexLock lock(&mutex_);
  if (connection_ == nullptr) return SendResult::kSent;
  if (owed_ == 0) {
    zmq::socket_t& push = connection_->push;
    if (SendFrame(&push, frame, bytes, sockets_->buffers))
      return SendResult::kSent;
    // ZeroMQ looks for news of room only now and then; asking makes it look.
    // From then on the next news is an edge on the descriptor.
    if (HasRoom(&push) && SendFrame(&push, frame, bytes, sockets_->buffers)) {
      return SendResult::kSent;
    }
    sockets_->poll_set->Add(push.get(zmq::sockopt::fd),
                            WatchKey(Watched::kRoom, id_));
    connection_->room_watched = true;
  }
  ++owed_;
  return SendResult::kBackPressured;
}

void OutboundPeer::Part() {
  MutexLock lock(&mutex_);
  const bool up = up_;
  lock.Unlock();
  Close(up ? static_cast<int>(absl::ToInt64Milliseconds(kPartingTime)) : 0);
}

void OutboundPeer::Close(int linger_ms) {
  MutexLock lock(&mutex_);
  CloseLocked(linger_ms);
  shut_out_ = abandoned_ = false;
  untold_.clear();
  owed_ = 0;
}

void OutboundPeer::CloseLocked(int linger_ms) {
  if (connection_ == nullptr) return;
  PollSet& poll_set = *sockets_->poll_set;
  poll_set.Remove(connection_->monitor.fd());
  if (connection_->room_watched) {
    poll_set.Remove(connection_->push.get(zmq::sockopt::fd));
  }
  connection_->push.set(zmq::sockopt::linger, linger_ms);
  connection_.reset();
}

int OutboundPeer::TakeWritable() {
  MutexLock lock(&mutex_);
  if (owed_ == 0) return 0;
  if (connection_ == nullptr) return std::exchange(owed_, 0);
  if (!HasRoom(&connection_->push)) return 0;
  if (connection_->room_watched) {
    sockets_->poll_set->Remove(connection_->push.get(zmq::sockopt::fd));
    connection_->room_watched = false;
  }
  return std::exchange(owed_, 0);
}

bool OutboundPeer::TakeReports(std::vector<SessionReport>* reports) {
  MutexLock lock(&mutex_);
  for (SessionReport& report : untold_) reports->push_back(std::move(report));
  untold_.clear();
  if (connection_ == nullptr) return abandoned_;
  const int refusals_before = refusals_;
  ConnectionEvent event;
  while (connection_->monitor.Next(&event)) Report(event, reports);
  // Not again before the next one: a dial may be under way.
  if (refusals_ >= kRefusalsMax && refusals_ > refusals_before) {
    Pause();
    if (refusals_before < kRefusalsMax) {
      reports->push_back(
          Loss(absl::StrCat(ToString(address_), " refused ", refusals_,
                            " handshakes in a row; "
                            "it is dialled once a second now")));
    }
  }
  return abandoned_;
}

// Whoever waits for room may as well go on: there is no connection to lose.
void OutboundPeer::Pause() {
  CloseLocked(0);
  abandoned_ = true;
  if (owed_ > 0) sockets_->poll_set->Wake();
}

void OutboundPeer::Report(const ConnectionEvent& event,
                          std::vector<SessionReport>* reports) {
  const std::string address = ToString(address_);
  switch (event.kind) {
    case ConnectionEvent::Kind::kUp:
      up_ = true;
      refusals_ = 0;
      loss_told_ = abandoned_ = false;
      reports->push_back({true, generation_, ""});
      return;
    case ConnectionEvent::Kind::kHandshakeFailed:
      ++refusals_;
      loss_told_ = abandoned_ = true;
      reports->push_back(Loss(
          absl::StrCat("handshake with ", address, " failed: ", event.reason)));
      return;
    case ConnectionEvent::Kind::kLost:
      if (!loss_told_) {
        reports->push_back(
            Loss(absl::StrCat("connection to ", address, " broke",
                              up_ ? "" : " in the handshake")));
      }
      up_ = false;
      loss_told_ = abandoned_ = true;
      return;
    case ConnectionEvent::Kind::kRetry:
      if (!loss_told_) {
        reports->push_back(Loss(
            absl::StrCat("no connection to ", address, "; ", event.reason)));
      }
      loss_told_ = abandoned_ = false;
      return;
    case ConnectionEvent::Kind::kListenerClosed:
      return;  // of accepting sockets only
  }
}

}  // namespace zmq_backend
}  // namespace cluster::internal
