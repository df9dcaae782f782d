#include "cluster/transport/zmq/outbound_peer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/base/check.h"
#include "cluster/transport/zmq/endpoint.h"
#include "cluster/transport/zmq/outbound_message.h"

namespace cluster::internal {
namespace zmq_backend {
namespace {

// After so many handshakes that failed in a row, ZeroMQ no longer dials by
// itself. A network that cuts connections seldom hits so many.
constexpr int kRefusalsMax = 8;

// The peer did not refuse a connection that lived longer.
constexpr std::chrono::milliseconds kProvenLife{50};

// ZeroMQ's delay before it would dial again by itself.
constexpr int kNeverMs = 3600 * 1000;

// A second of them. Then the peer's silence tells.
constexpr int kProbesMax = 10;

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

void OutboundPeer::Connection::DialOnce(Clock::duration time) {
  push.set(zmq::sockopt::reconnect_ivl, kNeverMs);
  push.set(zmq::sockopt::reconnect_ivl_max, 0);
  push.set(zmq::sockopt::connect_timeout,
           static_cast<int>(
               std::chrono::ceil<std::chrono::milliseconds>(time).count()));
}

absl::Status OutboundPeer::Dial(const Address& address,
                                std::uint64_t generation) {
  absl::Status status = CheckDialable(address);
  if (status.ok() && !address.is_name())
    status = sockets_->settings.source.CheckReaches(address);
  if (!status.ok()) return status;
  MutexLock lock(&mutex_);
  status = DialLocked(DialOrder(address), generation);
  if (!status.ok()) return status;
  backoff_.Reset();
  waiting_.clear();
  handed_over_.NotifyAll();
  return status;
}

absl::Status OutboundPeer::Redial() {
  MutexLock lock(&mutex_);
  if (state_ != State::kGone) return absl::OkStatus();
  return DialLocked(order_, generation_);
}

absl::Status OutboundPeer::DialLocked(DialOrder order,
                                      std::uint64_t generation) {
  std::shared_ptr<const CurveKeys> keys;
  if (sockets_->keys != nullptr) keys = sockets_->keys->Get();
  if (std::exchange(key_failed_, false)) ++key_turn_;
  const CurvePeer* const peer =
      keys == nullptr ? nullptr : keys->FindPeer(id_, key_turn_);
  const bool shut_out = keys != nullptr && peer == nullptr;
  const bool by_name = order.address().is_name();
  std::unique_ptr<Connection> connection;
  Resolver::Ticket look_up = 0;
  absl::Status trouble;
  if (shut_out) {
    trouble = absl::FailedPreconditionError(
        absl::StrCat("not connected: server ", id_, " has no public key here"));
  } else if (const absl::optional<Address> next = order.Next()) {
    const absl::StatusOr<std::string> endpoint =
        DialEndpoint(*next, sockets_->settings.source);
    trouble = endpoint.status();
    if (endpoint.ok()) {
      absl::Status status = CatchZmq(absl::StrCat("dial ", *endpoint), [&] {
        connection =
            std::make_unique<Connection>(sockets_, *next, keys.get(), peer);
        if (by_name) {
          connection->DialOnce(order.TimeOf(
              std::chrono::milliseconds(sockets_->settings.handshake_ms)));
        }
        CallZmq([&] {
          return zmq_connect(connection->push.handle(), endpoint->c_str());
        });
      });
      if (!status.ok()) return status;
    }
  } else {
    const absl::StatusOr<Resolver::Ticket> begun = LookUp(order.address().host);
    if (!begun.ok()) return begun.status();
    look_up = *begun;
  }
  order_ = std::move(order);
  by_name_ = by_name;
  if (generation != generation_) probes_left_ = 0;
  generation_ = generation;
  if (!trouble.ok()) {
    GiveUp(shut_out ? State::kShutOut : State::kGone,
           std::string(trouble.message()));
    return absl::OkStatus();
  }
  CloseLocked(0);
  look_up_ = look_up;
  state_ = look_up != 0 ? State::kLookingUp : State::kDialling;
  connection_ = std::move(connection);
  if (connection_ != nullptr)
    sockets_->poll_set->Add(connection_->monitor.fd(), id_);
  if (owed_ > 0) sockets_->poll_set->Wake();
  return absl::OkStatus();
}

absl::StatusOr<Resolver::Ticket> OutboundPeer::LookUp(const std::string& host) {
  return Resolver::OfProcess().Begin(
      host, [weak = weak_from_this()](Resolver::Ticket ticket,
                                      absl::StatusOr<Resolver::Hosts> hosts) {
        if (const auto self = weak.lock())
          self->OnFound(ticket, std::move(hosts));
      });
}

// On the resolver's thread; the events' thread dials.
void OutboundPeer::OnFound(Resolver::Ticket ticket,
                           absl::StatusOr<Resolver::Hosts> hosts) {
  MutexLock lock(&mutex_);
  if (look_up_ != ticket) return;
  look_up_ = 0;
  if (hosts.ok()) {
    order_.Found(*std::move(hosts));
    state_ = State::kGone;
    redial_in_ = Clock::duration::zero();
  } else {
    Lose(absl::StrCat("no connection to ", ToString(order_.address()), ": ",
                      hosts.status().message()));
  }
  sockets_->poll_set->Wake();
}

void OutboundPeer::UseKeys() {
  MutexLock lock(&mutex_);
  // A later Redial adopts them too.
  if (connection_ == nullptr && state_ != State::kShutOut) return;
  const std::shared_ptr<const CurveKeys> keys = sockets_->keys->Get();
  if (connection_ == nullptr) {
    if (keys->FindPeer(id_) == nullptr) return;
  } else if (connection_->own_key == keys->own_public()) {
    const CurvePeer* const dialled = keys->FindKey(connection_->peer_key);
    if (dialled != nullptr && dialled->id == id_) return;
  }
  // Before anything can fail: a thief may hold the old key.
  CloseLocked(0);
  if (absl::Status status = DialLocked(order_, generation_); !status.ok())
    GiveUp(State::kGone, std::string(status.message()));
}

SendResult OutboundPeer::Send(const Frame& frame, std::size_t bytes) {
  MutexLock lock(&mutex_);
  if (Keeps()) {
    if (HasRoomLocked()) {
      waiting_.push_back(frame);
      return SendResult::kSent;
    }
  } else if (connection_ == nullptr) {
    return SendResult::kSent;
  } else if (owed_ == 0) {
    zmq::socket_t& push = connection_->push;
    if (SendFrame(&push, frame, bytes, sockets_->loans))
      return SendResult::kSent;
    // ZeroMQ looks for news of room only now and then; asking makes it look.
    // From then on the next news is an edge on the descriptor.
    if (HasRoom(&push) && SendFrame(&push, frame, bytes, sockets_->loans)) {
      return SendResult::kSent;
    }
    WatchRoom();
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
  waiting_.clear();
  handed_over_.NotifyAll();
}

void OutboundPeer::CloseLocked(int linger_ms) {
  if (look_up_ != 0) Resolver::OfProcess().Cancel(std::exchange(look_up_, 0));
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
  if (state == State::kGone) {
    Lose(std::move(reason));
  } else {
    state_ = state;
    waiting_.clear();
    handed_over_.NotifyAll();
    ReportLoss(std::move(reason));
  }
  sockets_->poll_set->Wake();
}

void OutboundPeer::Lose(std::string reason) {
  if (state_ == State::kUp && Clock::now() - connected_at_ > kProvenLife)
    backoff_.Reset();
  if (!by_name_) backoff_.Slow();
  state_ = State::kGone;
  redial_in_ = order_.GoesOn() ? Clock::duration::zero() : backoff_.NextDelay();
  ReportLoss(std::move(reason));
}

void OutboundPeer::ReportLoss(std::string reason) {
  reports_.push_back({false, generation_, std::move(reason)});
}

absl::optional<OutboundPeer::Clock::duration> OutboundPeer::Serve(
    TransportHandler* handler) {
  std::vector<Report> reports;
  absl::optional<Clock::duration> redial_in;
  {
    MutexLock lock(&mutex_);
    if (connection_ != nullptr) ReadMonitor();
    reports.swap(reports_);
    if (state_ == State::kGone) redial_in = redial_in_;
  }
  for (const Report& report : reports) {
    if (report.connected) {
      handler->OnConnected(id_, report.generation);
    } else {
      handler->OnDisconnected(id_, report.generation, report.reason);
    }
  }
  for (int due = TakeWritable(); due > 0; --due) handler->OnWritable(id_);
  return redial_in;
}

bool OutboundPeer::WantsProbe() {
  MutexLock lock(&mutex_);
  return probes_left_ > 0;
}

bool OutboundPeer::Probe(TransportHandler* handler) {
  RefusalProbe::Answer answer;
  std::uint64_t generation;
  bool goes_on;
  {
    MutexLock lock(&mutex_);
    if (probes_left_ == 0) return false;
    answer = probe_.Ask();
    probes_left_ =
        answer == RefusalProbe::Answer::kOther ? 0 : probes_left_ - 1;
    goes_on = probes_left_ > 0;
    generation = generation_;
  }
  if (answer == RefusalProbe::Answer::kRefused)
    handler->OnRefused(id_, generation);
  return goes_on;
}

int OutboundPeer::TakeWritable() {
  MutexLock lock(&mutex_);
  if (owed_ == 0) return 0;
  if (!HasRoomLocked()) {
    // Frames that waited for this connection may have filled it.
    if (!Keeps()) WatchRoom();
    return 0;
  }
  if (connection_ != nullptr && connection_->room_watched) {
    sockets_->poll_set->Remove(connection_->push.get(zmq::sockopt::fd));
    connection_->room_watched = false;
  }
  return std::exchange(owed_, 0);
}

void OutboundPeer::WatchRoom() {
  if (std::exchange(connection_->room_watched, true)) return;
  sockets_->poll_set->Add(connection_->push.get(zmq::sockopt::fd), id_);
}

bool OutboundPeer::HasRoomLocked() {
  if (Keeps()) {
    return waiting_.size() <
           static_cast<std::size_t>(sockets_->settings.send_hwm);
  }
  // Without a connection a frame is lost at once, so none need wait.
  return connection_ == nullptr || HasRoom(&connection_->push);
}

bool OutboundPeer::AwaitHandedOver(Clock::time_point deadline) {
  MutexLock lock(&mutex_);
  return handed_over_.WaitUntil(&mutex_, deadline, [this] {
    mutex_.AssertHeld();
    return waiting_.empty();
  });
}

// The room of a new connection is as large as what may wait.
void OutboundPeer::SendWaiting() {
  for (const Frame& frame : std::exchange(waiting_, {})) {
    const bool sent =
        SendFrame(&connection_->push, frame, frame.size(), sockets_->loans);
    CLUSTER_CHECK(sent, "a new connection has less room than was promised");
  }
  handed_over_.NotifyAll();
}

void OutboundPeer::ReadMonitor() {
  const int refusals_before = refusals_;
  SocketEvent event;
  while (connection_->monitor.Next(&event)) Note(event);
  if (by_name_) {
    if (state_ == State::kGone) CloseLocked(0);
    return;
  }
  // Not again before the next refusal: a dial may be under way.
  if (refusals_ < kRefusalsMax || refusals_ <= refusals_before) return;
  CloseLocked(0);
  if (refusals_before < kRefusalsMax) {
    Lose(absl::StrCat(order_.text(), " refused ", refusals_,
                      " handshakes in a row; it is dialled once a second now"));
  } else {
    state_ = State::kGone;
  }
}

void OutboundPeer::Note(const SocketEvent& event) {
  const std::string address = order_.text();
  const State before = state_;
  switch (event.id) {
    case ZMQ_EVENT_CONNECTED:
      probe_.Remember(static_cast<int>(event.value));
      return;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
      state_ = State::kUp;
      refusals_ = probes_left_ = 0;
      key_failed_ = false;
      connected_at_ = Clock::now();
      order_.Worked();
      SendWaiting();
      reports_.push_back({true, generation_, ""});
      return;
    case ZMQ_EVENT_DISCONNECTED:
      if (before == State::kUp) {
        probes_left_ = kProbesMax;
      } else {
        key_failed_ = true;
      }
      if (before == State::kGone) return;
      Lose(absl::StrCat("connection to ", address, " broke",
                        before == State::kUp ? "" : " in the handshake"));
      return;
    case ZMQ_EVENT_CONNECT_RETRIED:
      if (by_name_) {
        if (before != State::kGone)
          Lose(absl::StrCat("no connection to ", address));
        return;
      }
      state_ = State::kDialling;
      if (before == State::kGone) return;
      ReportLoss(absl::StrCat("no connection to ", address,
                              "; next attempt in ", event.value, " ms"));
      return;
    default:  // ZMQ_EVENT_HANDSHAKE_FAILED_*
      key_failed_ = true;
      ++refusals_;
      Lose(absl::StrCat("handshake with ", address,
                        " failed: ", ExplainFailure(event).reason));
  }
}

}  // namespace zmq_backend
}  // namespace cluster::internal
