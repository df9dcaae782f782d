#include "cluster/transport/zmq/zmq_transport.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/base/check.h"
#include "cluster/base/descriptors.h"
#include "cluster/base/mutex.h"
#include "cluster/base/start_thread.h"
#include "cluster/transport/address.h"
#include "cluster/transport/zmq/context.h"
#include "cluster/transport/zmq/curve_keys.h"
#include "cluster/transport/zmq/event_loop.h"
#include "cluster/transport/zmq/inbound_socket.h"
#include "cluster/transport/zmq/outbound_peer.h"
#include "cluster/transport/zmq/peer_table.h"
#include "cluster/transport/zmq/receive_loop.h"
#include "cluster/transport/zmq/settings.h"
#include "cluster/transport/zmq/zap.h"

namespace cluster::internal {
namespace zmq_backend {
namespace {

// The context's (two for each of its threads), the listener with its monitor,
// ZAP's, and some for strangers. Of a peer: three sockets of ZeroMQ's, which are
// its PUSH and both ends of the monitor, and a connection each way.
DescriptorNeed NeedOf(const ZmqSettings& settings) {
  return {/*fixed=*/30 + 2 * static_cast<std::size_t>(settings.io_threads),
          /*per_peer=*/5};
}

// What ZeroMQ's threads may take for a shared context's end beyond linger. They
// close sockets one by one, and look at the monitors of all others for each: of
// dozens of servers that takes a second or two. And how long the destructor
// waits for what is left.
constexpr std::chrono::milliseconds kEndTime{100};
constexpr std::chrono::seconds kFreeTime{5};

int LingerMilliseconds(absl::Duration linger) {
  return static_cast<int>(std::clamp<std::int64_t>(
      absl::ToInt64Milliseconds(linger), 0, std::numeric_limits<int>::max()));
}

class ZmqTransport : public Transport {
 public:
  ZmqTransport(std::unique_ptr<Sockets> sockets, std::size_t peers)
      : sockets_(std::move(sockets)), peers_expected_(peers) {}
  ~ZmqTransport() override;

  absl::Status Start(TransportHandler* handler,
                     const std::string& local_address) override;
  std::string Address() const override;
  absl::Status Connect(int peer, const std::string& address,
                       std::uint64_t generation) override;
  void Disconnect(int peer) override;
  SendResult Send(int peer, const Frame& frame) override;
  absl::Status ReloadSecurity(const SecurityFiles& files) override;
  void Stop(absl::Duration linger) override;

 private:
  enum class State { kNew, kRunning, kStopped };

  absl::Status OpenContext() CLUSTER_REQUIRES(stop_mutex_);
  // An own context ends here, when its sockets are gone. For the end of a shared
  // one it waits no longer than `linger` and a little.
  void LeaveContext(std::chrono::milliseconds linger)
      CLUSTER_REQUIRES(stop_mutex_);
  absl::Status StartReceiving(TransportHandler* handler,
                              const cluster::Address& address)
      CLUSTER_REQUIRES(stop_mutex_);
  void StopReceiving() CLUSTER_REQUIRES(stop_mutex_);
  absl::Status UseKeys(std::shared_ptr<const CurveKeys> keys)
      CLUSTER_REQUIRES(stop_mutex_);

  const std::unique_ptr<Sockets> sockets_;
  const std::size_t peers_expected_;
  PeerTable peers_;

  // Held for all of Start, Stop and ReloadSecurity: one at a time, and a second
  // caller of Stop returns when all is closed.
  Mutex stop_mutex_{LockRank::kTransportStop};
  // Also orders Connect and Disconnect. Callbacks take it, so never wait for a
  // callback while holding it.
  mutable Mutex mutex_{LockRank::kTransport};
  State state_ CLUSTER_GUARDED_BY(mutex_) = State::kNew;
  // The process's, before Start.
  std::size_t others_descriptors_ CLUSTER_GUARDED_BY(mutex_) = 0;
  std::string address_ CLUSTER_GUARDED_BY(mutex_);

  std::unique_ptr<InboundSocket> inbound_ CLUSTER_GUARDED_BY(stop_mutex_);
  std::unique_ptr<ReceiveLoop> frames_ CLUSTER_GUARDED_BY(stop_mutex_);
  std::unique_ptr<EventLoop> events_ CLUSTER_GUARDED_BY(stop_mutex_);
  // Null without security.
  std::unique_ptr<ZapHandler> zap_ CLUSTER_GUARDED_BY(stop_mutex_);
  // Null: nothing to wait for.
  std::shared_ptr<ContextEnd> context_end_ CLUSTER_GUARDED_BY(stop_mutex_);
};

// The next server counts the descriptors that are open.
ZmqTransport::~ZmqTransport() {
  Stop(absl::ZeroDuration());
  if (context_end_ != nullptr) context_end_->WaitFor(kFreeTime);
}

absl::Status ZmqTransport::Start(TransportHandler* handler,
                                 const std::string& local_address) {
  absl::StatusOr<cluster::Address> address = ParseAddress(local_address);
  if (!address.ok()) return address.status();
  MutexLock stop_lock(&stop_mutex_);
  MutexLock lock(&mutex_);
  if (state_ != State::kNew) {
    return absl::FailedPreconditionError("the transport was started before");
  }
  others_descriptors_ = DescriptorsInUse();
  absl::Status status = CheckDescriptors(NeedOf(sockets_->settings),
                                         peers_expected_, others_descriptors_);
  if (!status.ok()) return status;
  status = OpenContext();
  if (status.ok()) status = StartReceiving(handler, *address);
  if (!status.ok()) {
    lock.Unlock();  // a callback may be waiting for it
    StopReceiving();
    LeaveContext(std::chrono::milliseconds(0));
    sockets_->poll_set.reset();
    return status;
  }
  address_ = ToString(inbound_->address());
  state_ = State::kRunning;
  return absl::OkStatus();
}

absl::Status ZmqTransport::OpenContext() {
  absl::Status status = CatchZmq("open a ZeroMQ context", [this] {
    sockets_->context = NewContext(sockets_->settings);
  });
  if (!status.ok()) return status;
  absl::StatusOr<std::unique_ptr<PollSet>> poll_set = PollSet::Open();
  if (poll_set.ok()) sockets_->poll_set = *std::move(poll_set);
  return poll_set.status();
}

void ZmqTransport::LeaveContext(std::chrono::milliseconds linger) {
  context_end_ = zmq_backend::LeaveContext(std::move(sockets_->context));
  if (context_end_ != nullptr) context_end_->WaitFor(linger + kEndTime);
}

absl::Status ZmqTransport::StartReceiving(TransportHandler* handler,
                                          const cluster::Address& address) {
  // ZeroMQ starts its threads with the first socket.
  const SignalsBlocked blocked;
  const CurveKeyRing* const keys = sockets_->keys.get();
  if (keys != nullptr) {
    auto zap = ZapHandler::Start(sockets_->context.get(), keys,
                                 [handler](Rejection rejection) {
                                   handler->OnRejected(std::move(rejection));
                                 });
    if (!zap.ok()) return zap.status();
    zap_ = *std::move(zap);
  }
  auto inbound = InboundSocket::Open(sockets_->context.get(),
                                     sockets_->settings, keys, address);
  if (!inbound.ok()) return inbound.status();
  inbound_ = *std::move(inbound);
  frames_ = std::make_unique<ReceiveLoop>(inbound_.get(), handler);
  events_ = std::make_unique<EventLoop>(sockets_.get(), &peers_, inbound_.get(),
                                        handler);
  absl::Status status = events_->Start();
  return status.ok() ? frames_->Start() : status;
}

// Of whatever StartReceiving got to.
void ZmqTransport::StopReceiving() {
  if (frames_ != nullptr) frames_->Stop();
  if (events_ != nullptr) events_->Stop();
  frames_.reset();
  events_.reset();
  inbound_.reset();
  zap_.reset();
}

std::string ZmqTransport::Address() const {
  MutexLock lock(&mutex_);
  return address_;
}

absl::Status ZmqTransport::Connect(int peer, const std::string& address,
                                   std::uint64_t generation) {
  absl::StatusOr<cluster::Address> parsed = ParseAddress(address);
  if (!parsed.ok()) return parsed.status();
  MutexLock lock(&mutex_);
  if (state_ != State::kRunning) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot connect peer ", peer, ": the transport is ",
                     state_ == State::kNew ? "not started" : "stopped"));
  }
  if (PeerTable::Peer known = peers_.Find(peer))
    return known->Dial(*parsed, generation);
  if (const std::size_t peers = peers_.All().size(); peers >= peers_expected_) {
    absl::Status enough = CheckDescriptors(NeedOf(sockets_->settings),
                                           peers + 1, others_descriptors_);
    if (!enough.ok()) return enough;
  }
  auto fresh = std::make_shared<OutboundPeer>(peer, sockets_.get());
  absl::Status status = fresh->Dial(*parsed, generation);
  if (!status.ok()) return status;
  peers_.Insert(std::move(fresh));
  return absl::OkStatus();
}

void ZmqTransport::Disconnect(int peer) {
  MutexLock lock(&mutex_);
  if (PeerTable::Peer known = peers_.Remove(peer)) known->Part();
}

SendResult ZmqTransport::Send(int peer, const Frame& frame) {
  const std::size_t bytes = frame.size();
  CLUSTER_CHECK(bytes <= sockets_->settings.frame_bytes_max,
                "the frame is larger than frame_bytes_max");
  const PeerTable::Peer known = peers_.Find(peer);
  return known == nullptr ? SendResult::kSent : known->Send(frame, bytes);
}

absl::Status ZmqTransport::ReloadSecurity(const SecurityFiles& files) {
  MutexLock stop_lock(&stop_mutex_);
  if (sockets_->keys == nullptr) return SecurityNotConfigured();
  absl::StatusOr<std::shared_ptr<const CurveKeys>> keys =
      LoadCurveKeys(files, sockets_->keys->Get().get());
  if (!keys.ok()) return keys.status();
  return UseKeys(*std::move(keys));
}

absl::Status ZmqTransport::UseKeys(std::shared_ptr<const CurveKeys> keys) {
  const std::shared_ptr<const CurveKeys> before = sockets_->keys->Get();
  const bool own_changed = keys->own_public() != before->own_public();
  absl::Status status;
  InboundSocket* const inbound = inbound_.get();
  const auto swap = [&] {
    sockets_->keys->Set(keys);
    if (inbound == nullptr || (!own_changed && inbound->listening())) return;
    status = inbound->ListenAnew();
    // Back to the old ones; the loop listens with them as soon as it can.
    if (!status.ok()) sockets_->keys->Set(before);
  };
  State state;
  {
    MutexLock lock(&mutex_);
    state = state_;
  }
  if (state != State::kRunning || !frames_->Perform(swap)) swap();
  // A Connect that runs meanwhile either is in the table already, or will find
  // the keys that are in force now. One that ran during a failure met those
  // that were not to be, so it needs this too.
  MutexLock lock(&mutex_);
  for (const PeerTable::Peer& peer : peers_.All()) peer->UseKeys();
  return status;
}

void ZmqTransport::Stop(absl::Duration linger) {
  MutexLock stop_lock(&stop_mutex_);
  {
    MutexLock lock(&mutex_);
    if (std::exchange(state_, State::kStopped) != State::kRunning) return;
  }
  // From here on nobody adds a peer.
  StopReceiving();
  // Every socket lingers from its own closing on and all at the same time, so
  // together they take no longer than one.
  const int linger_ms = LingerMilliseconds(linger);
  for (const PeerTable::Peer& peer : peers_.All()) peer->Close(linger_ms);
  LeaveContext(std::chrono::milliseconds(linger_ms));
}

}  // namespace
}  // namespace zmq_backend

}  // namespace cluster::internal

namespace cluster {

absl::StatusOr<std::unique_ptr<Transport>> NewZmqTransport(
    const TransportConfig& config) {
  absl::StatusOr<internal::zmq_backend::ZmqSettings> settings =
      internal::zmq_backend::ReadSettings(config);
  if (!settings.ok()) return settings.status();
  auto sockets = std::make_unique<internal::zmq_backend::Sockets>();
  sockets->settings = *settings;
  if (config.security) {
    auto keys = internal::zmq_backend::LoadCurveKeys(*config.security, nullptr);
    if (!keys.ok()) return keys.status();
    sockets->keys =
        std::make_unique<internal::zmq_backend::CurveKeyRing>(*std::move(keys));
  }
  return std::make_unique<internal::zmq_backend::ZmqTransport>(
      std::move(sockets), config.peers);
}

}  // namespace cluster
