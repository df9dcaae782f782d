#include "cluster/transport/zmq/zmq_transport.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/base/check.h"
#include "cluster/base/descriptors.h"
#include "cluster/base/mutex.h"
#include "cluster/base/start_thread.h"
#include "cluster/transport/address.h"
#include "cluster/transport/zmq/context.h"
#include "cluster/transport/zmq/curve_keys.h"
#include "cluster/transport/zmq/inbound.h"
#include "cluster/transport/zmq/outbound_peer.h"
#include "cluster/transport/zmq/settings.h"
#include "cluster/transport/zmq/zap.h"

namespace cluster::internal {
namespace zmq_backend {
namespace {

// Fixed: two for each of the context's threads, the listener with its monitor,
// ZAP's, and some for strangers. Of a peer: its PUSH socket, both ends of the
// monitor, and a connection each way.
DescriptorNeed NeedOf(const ZmqSettings& settings) {
  return {/*fixed=*/30 + 2 * static_cast<std::size_t>(settings.io_threads),
          /*per_peer=*/5};
}

// How long to wait for a shared context's end beyond linger, in Stop and in the
// destructor. For each socket that ZeroMQ's threads close, they look at the
// monitors of all others. With dozens of servers that takes a second or two.
constexpr std::chrono::milliseconds kEndTime{100};
constexpr std::chrono::seconds kFreeTime{5};

// The delay after a dial that could not begin.
constexpr std::chrono::seconds kRedialPause{1};

// The transport's life, its peers, and the thread of their events. Connections
// that it dials are in outbound_peer.h, those that it accepts in inbound.h.
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
  using Clock = std::chrono::steady_clock;
  using Peer = std::shared_ptr<OutboundPeer>;
  enum class State { kNew, kRunning, kStopped };

  absl::Status Open(TransportHandler* handler, const cluster::Address& address)
      CLUSTER_REQUIRES(stop_mutex_);
  // Ends all that Open began, and the callbacks. Before that, frames that wait
  // for a connection may go to it, until `deadline`.
  void StopReceiving(Clock::time_point deadline) CLUSTER_REQUIRES(stop_mutex_);
  // An own context ends here, when its sockets are gone. For the end of a
  // shared one it waits no longer than `linger` and a little.
  void CloseContext(std::chrono::milliseconds linger)
      CLUSTER_REQUIRES(stop_mutex_);

  // Null if there is no such peer.
  Peer FindPeer(int id) const;
  std::vector<Peer> AllPeers() const;

  // The events' thread. It sleeps until a connection has news, a full socket
  // has room, a peer is due to be dialled again, or something wakes it.
  void RunEvents(Inbound* inbound, TransportHandler* handler);
  void ServePeer(OutboundPeer* peer, TransportHandler* handler);
  void RedialDue();
  void ProbeDue(TransportHandler* handler);
  int MillisecondsToNext() const;

  const std::unique_ptr<Sockets> sockets_;
  const std::size_t peers_expected_;

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

  mutable Mutex peers_mutex_;
  std::map<int, Peer> peers_ CLUSTER_GUARDED_BY(peers_mutex_);

  // Null unless it is running.
  std::unique_ptr<Inbound> inbound_ CLUSTER_GUARDED_BY(stop_mutex_);
  // The same, and null without security.
  std::unique_ptr<ZapHandler> zap_ CLUSTER_GUARDED_BY(stop_mutex_);
  std::thread events_ CLUSTER_GUARDED_BY(stop_mutex_);
  std::shared_future<void> context_end_ CLUSTER_GUARDED_BY(stop_mutex_);
  std::atomic<bool> events_stopping_{false};

  // The events' thread's own.
  std::map<int, Clock::time_point> redials_;  // by peer
  std::map<int, Clock::time_point> probes_;
};

// The next server counts the descriptors that are open.
ZmqTransport::~ZmqTransport() {
  Stop(absl::ZeroDuration());
  if (context_end_.valid()) context_end_.wait_for(kFreeTime);
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
  status.Update(sockets_->settings.source.CheckIsHere());
  if (!status.ok()) return status;
  status = Open(handler, *address);
  if (!status.ok()) {
    lock.Unlock();  // a callback may be waiting for it
    StopReceiving(Clock::now());
    CloseContext(std::chrono::milliseconds(0));
    sockets_->poll_set.reset();
    return status;
  }
  address_ = ToString(inbound_->address());
  state_ = State::kRunning;
  return absl::OkStatus();
}

absl::Status ZmqTransport::Open(TransportHandler* handler,
                                const cluster::Address& address) {
  absl::Status status = CatchZmq("open a ZeroMQ context", [this] {
    sockets_->context = NewContext(sockets_->settings);
  });
  if (!status.ok()) return status;
  absl::StatusOr<std::unique_ptr<PollSet>> poll_set = PollSet::Open();
  if (!poll_set.ok()) return poll_set.status();
  sockets_->poll_set = *std::move(poll_set);
  // ZeroMQ starts its threads with the first socket.
  const SignalsBlocked blocked;
  if (sockets_->keys != nullptr) {
    auto zap = ZapHandler::Start(sockets_->context.get(), sockets_->keys.get(),
                                 handler);
    if (!zap.ok()) return zap.status();
    zap_ = *std::move(zap);
  }
  auto inbound = Inbound::Open(sockets_.get(), address, handler);
  if (!inbound.ok()) return inbound.status();
  inbound_ = *std::move(inbound);
  sockets_->poll_set->Add(inbound_->monitor_fd(), PollSet::kInboundKey);
  events_stopping_.store(false);
  status = StartThread(
      "cluster-events",
      [this, inbound = inbound_.get(), handler] {
        RunEvents(inbound, handler);
      },
      &events_);
  return status.ok() ? inbound_->Start() : status;
}

void ZmqTransport::StopReceiving(Clock::time_point deadline) {
  if (inbound_ != nullptr) {
    inbound_->Stop();
    for (const Peer& peer : AllPeers()) peer->AwaitHandedOver(deadline);
    if (events_.joinable()) {
      events_stopping_.store(true);
      sockets_->poll_set->Wake();
      events_.join();
    }
    sockets_->poll_set->Remove(inbound_->monitor_fd());
  }
  inbound_.reset();
  zap_.reset();
}

void ZmqTransport::CloseContext(std::chrono::milliseconds linger) {
  context_end_ = LeaveContext(std::move(sockets_->context));
  if (context_end_.valid()) context_end_.wait_for(linger + kEndTime);
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
  if (Peer known = FindPeer(peer)) return known->Dial(*parsed, generation);
  if (const std::size_t peers = AllPeers().size(); peers >= peers_expected_) {
    absl::Status enough = CheckDescriptors(NeedOf(sockets_->settings),
                                           peers + 1, others_descriptors_);
    if (!enough.ok()) return enough;
  }
  auto fresh = std::make_shared<OutboundPeer>(peer, sockets_.get());
  absl::Status status = fresh->Dial(*parsed, generation);
  if (!status.ok()) return status;
  {
    MutexLock peers_lock(&peers_mutex_);
    peers_.emplace(peer, std::move(fresh));
  }
  // It may have news that the events' thread did not find in the table.
  sockets_->poll_set->Wake();
  return absl::OkStatus();
}

void ZmqTransport::Disconnect(int peer) {
  MutexLock lock(&mutex_);
  const Peer known = FindPeer(peer);
  if (known == nullptr) return;
  {
    MutexLock peers_lock(&peers_mutex_);
    peers_.erase(peer);
  }
  known->Part();
}

SendResult ZmqTransport::Send(int peer, const Frame& frame) {
  const std::size_t bytes = frame.size();
  CLUSTER_CHECK(bytes <= sockets_->settings.frame_bytes_max,
                "the frame is larger than frame_bytes_max");
  const Peer known = FindPeer(peer);
  return known == nullptr ? SendResult::kSent : known->Send(frame, bytes);
}

absl::Status ZmqTransport::ReloadSecurity(const SecurityFiles& files) {
  MutexLock stop_lock(&stop_mutex_);
  if (sockets_->keys == nullptr) return SecurityNotConfigured();
  absl::StatusOr<std::shared_ptr<const CurveKeys>> keys =
      LoadCurveKeys(files, sockets_->keys->Get().get());
  if (!keys.ok()) return keys.status();
  if (inbound_ == nullptr) {
    sockets_->keys->Set(*std::move(keys));
    return absl::OkStatus();
  }
  absl::Status status = inbound_->UseKeys(*std::move(keys));
  // A Connect that runs meanwhile either is in the table already, or will find
  // the keys that are in force now. One that ran during a failure met the keys
  // that did not stay, so it needs this too.
  MutexLock lock(&mutex_);
  for (const Peer& peer : AllPeers()) peer->UseKeys();
  return status;
}

void ZmqTransport::Stop(absl::Duration linger) {
  MutexLock stop_lock(&stop_mutex_);
  {
    MutexLock lock(&mutex_);
    if (std::exchange(state_, State::kStopped) != State::kRunning) return;
  }
  // From here on nobody adds a peer.
  constexpr absl::Duration kLingerMax = absl::Hours(24);
  const Clock::time_point deadline =
      Clock::now() + absl::ToChronoNanoseconds(std::min(linger, kLingerMax));
  StopReceiving(deadline);
  // Every socket lingers from its own closing on and all at the same time, so
  // together they take no longer than one.
  const int linger_ms =
      Milliseconds(absl::FromChrono(deadline - Clock::now()), 0);
  for (const Peer& peer : AllPeers()) peer->Close(linger_ms);
  CloseContext(std::chrono::milliseconds(linger_ms));
}

ZmqTransport::Peer ZmqTransport::FindPeer(int id) const {
  MutexLock lock(&peers_mutex_);
  const auto found = peers_.find(id);
  return found == peers_.end() ? nullptr : found->second;
}

std::vector<ZmqTransport::Peer> ZmqTransport::AllPeers() const {
  MutexLock lock(&peers_mutex_);
  std::vector<Peer> all;
  for (const auto& [id, peer] : peers_) all.push_back(peer);
  return all;
}

void ZmqTransport::RunEvents(Inbound* inbound, TransportHandler* handler) {
  PollSet& poll_set = *sockets_->poll_set;
  while (!events_stopping_.load()) {
    for (PollSet::Key key : poll_set.Wait(MillisecondsToNext())) {
      if (key == PollSet::kWakeKey) {
        poll_set.ClearWake();
        for (const Peer& peer : AllPeers()) ServePeer(peer.get(), handler);
      } else if (key == PollSet::kInboundKey) {
        inbound->ReportRejections();
      } else if (Peer peer = FindPeer(static_cast<int>(key))) {
        ServePeer(peer.get(), handler);
      }
    }
    RedialDue();
    ProbeDue(handler);
  }
}

void ZmqTransport::ServePeer(OutboundPeer* peer, TransportHandler* handler) {
  if (const auto redial_in = peer->Serve(handler)) {
    // Does not put off one that is scheduled.
    redials_.emplace(peer->id(), Clock::now() + *redial_in);
  } else {
    redials_.erase(peer->id());
  }
  if (peer->WantsProbe())
    probes_.emplace(peer->id(), Clock::now() + OutboundPeer::kProbePause);
}

void ZmqTransport::ProbeDue(TransportHandler* handler) {
  if (probes_.empty()) return;
  const Clock::time_point now = Clock::now();
  for (auto next = probes_.begin(); next != probes_.end();) {
    const auto due = next++;
    if (due->second > now) continue;
    const Peer peer = FindPeer(due->first);
    if (peer != nullptr && peer->Probe(handler)) {
      due->second = now + OutboundPeer::kProbePause;
    } else {
      probes_.erase(due);
    }
  }
}

void ZmqTransport::RedialDue() {
  if (redials_.empty()) return;
  const Clock::time_point now = Clock::now();
  for (auto next = redials_.begin(); next != redials_.end();) {
    const auto due = next++;
    if (due->second > now) continue;
    const int id = due->first;
    redials_.erase(due);
    const Peer peer = FindPeer(id);
    if (peer != nullptr && !peer->Redial().ok())
      redials_.emplace(id, now + kRedialPause);
  }
}

int ZmqTransport::MillisecondsToNext() const {
  if (redials_.empty() && probes_.empty()) return -1;
  Clock::time_point first = Clock::time_point::max();
  for (const auto& [peer, time] : redials_) first = std::min(first, time);
  for (const auto& [peer, time] : probes_) first = std::min(first, time);
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(first - Clock::now());
  return static_cast<int>(std::max<std::int64_t>(0, left.count()));
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
