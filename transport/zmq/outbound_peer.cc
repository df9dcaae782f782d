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
      monitor(sockets->context.get(), &push, kDialledEvents),
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
  if (state_ != State::kGone) return absl::OkStatus();
  return DialLocked(address_, generation_);
}

absl::Status OutboundPeer::DialLocked(const Address& address,
                                      std::uint64_t generation) {
  absl::StatusOr<std::string> endpoint = DialEndpoint(address);
  if (!endpoint.ok()) return endpoint.status();
  std::shared_ptr<const CurveKeys> keys;
  if (sockets_->keys != nullptr) keys = sockets_->keys->Get();
  const CurvePeer* const peer = keys == nullptr ? nullptr : keys->FindPeer(id_);
  std::unique_ptr<Connection> connection;
  const bool shut_out = keys != nullptr && peer == nullptr;
  if (!shut_out) {
    absl::Status status = CatchZmq(absl::StrCat("dial ", *endpoint), [&] {
      connection =
          std::make_unique<Connection>(sockets_, address, keys.get(), peer);
      CallZmq([&] {
        return zmq_connect(connection->push.handle(), endpoint->c_str());
      });
    });
    if (!status.ok()) return status;
  }
  address_ = address;
  generation_ = generation;
  if (shut_out) {
    GiveUp(State::kShutOut, absl::StrCat("not connected: server ", id_,
                                         " has no public key here"));
    return absl::OkStatus();
  }
  CloseLocked(0);
  sockets_->poll_set->Add(connection->monitor.fd(), id_);
  connection_ = std::move(connection);
  state_ = State::kDialling;
  if (owed_ > 0) sockets_->poll_set->Wake();
  return absl::OkStatus();
}

void OutboundPeer::UseKeys() {
  MutexLock lock(&mutex_);
  // A later Redial adopts them too.
  if (connection_ == nullptr && state_ != State::kShutOut) return;
  const std::shared_ptr<const CurveKeys> keys = sockets_->keys->Get();
  const CurvePeer* const peer = keys->FindPeer(id_);
  if (peer == nullptr ? state_ == State::kShutOut
                      : connection_ != nullptr &&
                            connection_->own_key == keys->own_public() &&
                            connection_->peer_key == peer->key) {
    return;
  }
  // Before anything can fail: a thief may hold the old key.
  CloseLocked(0);
  if (absl::Status status = DialLocked(address_, generation_); !status.ok())
    GiveUp(State::kGone, std::string(status.message()));
}

SendResult OutboundPeer::Send(const Frame& frame, std::size_t bytes) {
  MutexLock lock(&mutex_);
  if (connection_ == nullptr) return SendResult::kSent;
  if (owed_ == 0) {
    zmq::socket_t& push = connection_->push;
    if (SendFrame(&push, frame, bytes, sockets_->loans))
      return SendResult::kSent;
    // ZeroMQ looks for news of room only now and then; asking makes it look.
    // From then on the next news is an edge on the descriptor.
    if (HasRoom(&push) && SendFrame(&push, frame, bytes, sockets_->loans)) {
      return SendResult::kSent;
    }
    sockets_->poll_set->Add(push.get(zmq::sockopt::fd), id_);
    connection_->room_watched = true;
  }
  ++owed_;
  return SendResult::kBackPressured;
}

void OutboundPeer::Part() {
  MutexLock lock(&mutex_);
  const bool up = state_ == State::kUp;
  lock.Unlock();
  Close(up ? static_cast<int>(absl::ToInt64Milliseconds(kPartingTime)) : 0);
}

void OutboundPeer::Close(int linger_ms) {
  MutexLock lock(&mutex_);
  CloseLocked(linger_ms);
  state_ = State::kClosed;
  reports_.clear();
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

void OutboundPeer::GiveUp(State state, std::string reason) {
  CloseLocked(0);
  state_ = state;
  ReportLoss(std::move(reason));
  sockets_->poll_set->Wake();
}

void OutboundPeer::ReportLoss(std::string reason) {
  reports_.push_back({false, generation_, std::move(reason)});
}

bool OutboundPeer::Serve(TransportHandler* handler) {
  std::vector<Report> reports;
  bool gone;
  {
    MutexLock lock(&mutex_);
    if (connection_ != nullptr) ReadMonitor();
    reports.swap(reports_);
    gone = state_ == State::kGone;
  }
  for (const Report& report : reports) {
    if (report.connected) {
      handler->OnConnected(id_, report.generation);
    } else {
      handler->OnDisconnected(id_, report.generation, report.reason);
    }
  }
  for (int due = TakeWritable(); due > 0; --due) handler->OnWritable(id_);
  return gone;
}

int OutboundPeer::TakeWritable() {
  MutexLock lock(&mutex_);
  if (owed_ == 0) return 0;
  // Without a connection a frame is lost at once, so none need wait.
  if (connection_ == nullptr) return std::exchange(owed_, 0);
  if (!HasRoom(&connection_->push)) return 0;
  if (connection_->room_watched) {
    sockets_->poll_set->Remove(connection_->push.get(zmq::sockopt::fd));
    connection_->room_watched = false;
  }
  return std::exchange(owed_, 0);
}

void OutboundPeer::ReadMonitor() {
  const int refusals_before = refusals_;
  SocketEvent event;
  while (connection_->monitor.Next(&event)) Note(event);
  // Not again before the next refusal: a dial may be under way.
  if (refusals_ < kRefusalsMax || refusals_ <= refusals_before) return;
  CloseLocked(0);
  state_ = State::kGone;
  if (refusals_before < kRefusalsMax) {
    ReportLoss(absl::StrCat(ToString(address_), " refused ", refusals_,
                            " handshakes in a row; "
                            "it is dialled once a second now"));
  }
}

void OutboundPeer::Note(const SocketEvent& event) {
  const std::string address = ToString(address_);
  const State before = state_;
  switch (event.id) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
      state_ = State::kUp;
      refusals_ = 0;
      reports_.push_back({true, generation_, ""});
      return;
    case ZMQ_EVENT_DISCONNECTED:
      state_ = State::kGone;
      if (before == State::kGone) return;
      ReportLoss(absl::StrCat("connection to ", address, " broke",
                              before == State::kUp ? "" : " in the handshake"));
      return;
    case ZMQ_EVENT_CONNECT_RETRIED:
      state_ = State::kDialling;
      if (before == State::kGone) return;
      ReportLoss(absl::StrCat("no connection to ", address,
                              "; next attempt in ", event.value, " ms"));
      return;
    default:  // ZMQ_EVENT_HANDSHAKE_FAILED_*
      state_ = State::kGone;
      ++refusals_;
      ReportLoss(absl::StrCat("handshake with ", address,
                              " failed: ", ExplainFailure(event).reason));
  }
}

}  // namespace zmq_backend
}  // namespace cluster::internal
