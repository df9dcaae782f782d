#include "transport/zmq/outbound_peer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/zmq/endpoint.h"
#include "transport/zmq/outbound_message.h"

namespace cluster {
namespace zmq_backend {

OutboundPeer::Connection::Connection(Sockets* sockets, const Address& address)
    : push(sockets->context, zmq::socket_type::push),
      monitor(&sockets->context, &push,
              absl::StrCat("inproc://monitor-", ++sockets->monitors)) {
  SetUpPush(sockets->settings, address, &push);
}

absl::Status OutboundPeer::Dial(const Address& address) {
  std::lock_guard<std::mutex> lock(mutex_);
  return DialLocked(address);
}

absl::Status OutboundPeer::Redial() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (connection_ == nullptr || !abandoned_) return absl::OkStatus();
  return DialLocked(address_);
}

absl::Status OutboundPeer::DialLocked(const Address& address) {
  absl::StatusOr<std::string> endpoint = DialEndpoint(address);
  if (!endpoint.ok()) return endpoint.status();
  std::unique_ptr<Connection> connection;
  absl::Status status = CatchZmq(absl::StrCat("dial ", *endpoint), [&] {
    connection = std::make_unique<Connection>(sockets_, address);
    connection->push.connect(*endpoint);
  });
  if (!status.ok()) return status;

  CloseLocked(0);
  sockets_->poll_set->Add(connection->monitor.fd(),
                          WatchKey(Watched::kMonitor, id_));
  connection_ = std::move(connection);
  address_ = address;
  up_ = loss_told_ = abandoned_ = false;
  if (owed_ > 0) sockets_->poll_set->Wake();
  return absl::OkStatus();
}

SendResult OutboundPeer::Send(const Frame& frame, std::size_t bytes) {
  std::lock_guard<std::mutex> lock(mutex_);
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

void OutboundPeer::Close(int linger_ms) {
  std::lock_guard<std::mutex> lock(mutex_);
  CloseLocked(linger_ms);
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
  std::lock_guard<std::mutex> lock(mutex_);
  if (owed_ == 0 || !HasRoom(&connection_->push)) return 0;
  if (connection_->room_watched) {
    sockets_->poll_set->Remove(connection_->push.get(zmq::sockopt::fd));
    connection_->room_watched = false;
  }
  return std::exchange(owed_, 0);
}

bool OutboundPeer::TakeReports(std::vector<LinkReport>* reports) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (connection_ == nullptr) return false;
  LinkEvent event;
  while (connection_->monitor.Next(&event)) Report(event, reports);
  return abandoned_;
}

void OutboundPeer::Report(const LinkEvent& event,
                          std::vector<LinkReport>* reports) {
  const std::string address = ToString(address_);
  switch (event.kind) {
    case LinkEvent::Kind::kUp:
      up_ = true;
      loss_told_ = abandoned_ = false;
      reports->push_back({true, ""});
      return;
    case LinkEvent::Kind::kHandshakeFailed:
      loss_told_ = abandoned_ = true;
      reports->push_back({false, absl::StrCat("handshake with ", address,
                                              " failed: ", event.reason)});
      return;
    case LinkEvent::Kind::kLost:
      if (!loss_told_) {
        reports->push_back(
            {false, absl::StrCat("connection to ", address, " broke",
                                 up_ ? "" : " in the handshake")});
      }
      up_ = false;
      loss_told_ = abandoned_ = true;
      return;
    case LinkEvent::Kind::kRetry:
      if (!loss_told_) {
        reports->push_back({false, absl::StrCat("no connection to ", address,
                                                "; ", event.reason)});
      }
      loss_told_ = abandoned_ = false;
      return;
  }
}

}  // namespace zmq_backend
}  // namespace cluster
