#include "cluster/server/server_core.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <new>
#include <random>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cluster/base/check.h"
#include "cluster/base/clock.h"
#include "cluster/config/check.h"
#include "cluster/transport/address.h"

namespace cluster::internal {
namespace {

// The transport's time for goodbyes at the end, even if linger is over.
constexpr absl::Duration kGoodbyeLingerMin = absl::Milliseconds(50);

// Milliseconds since 1970 and 20 random bits: another one in each life. Greater
// in a later one only while the clock of the host does not go back; nothing
// relies on it.
std::uint64_t NewIncarnation() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  const auto milliseconds = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(since).count());
  std::random_device device;
  return (milliseconds << 20) | (device() & 0xfffff);
}

absl::Status AtServer(int id, const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat("server ", id, ": ", status.message()));
}

// An error about the address where it listens names its place in the config.
absl::Status AtListener(const absl::Status& status, const std::string& address,
                        const std::string& place) {
  if (!absl::StrContains(status.message(), address)) return status;
  return absl::Status(status.code(),
                      absl::StrCat(place, ": ", status.message()));
}

// Port 0 of a peer is not known yet: AddPeer will tell it.
bool AddressKnown(const std::string& address) {
  return !address.empty() && !AsksForAnyPort(address);
}

}  // namespace

const absl::Status& OutOfMemory() {
  static const absl::Status& status = *new absl::Status(
      absl::StatusCode::kResourceExhausted,
      "out of memory: an allocation failed; what was accepted before stands, "
      "and the call may be made again");
  return status;
}

ServerCore::ServerCore(int server_id, Config config, const Codec* codec,
                       std::shared_ptr<BufferPool> buffers,
                       std::unique_ptr<Transport> transport)
    : id_(server_id),
      lone_bytes_(LoneBytes(config.frame_bytes)),
      message_ids_(0),
      config_(std::move(config)),
      listener_place_(PlaceOfListener(config_, id_)),
      transport_(std::move(transport)),
      log_(id_),
      inbox_(id_, config_.payload_bytes_max, config_.inbox_bytes_max),
      callbacks_(&inbox_, config_.slow_handler),
      application_(config_.application_timeout),
      rejections_([this](PeerEvent event) { PushEvent(std::move(event)); },
                  [this](int id) { return delivery_->Has(id); },
                  config_.security.mode != SecurityConfig::Mode::kNone),
      key_watch_(id_, transport_.get(),
                 [this](PeerEvent event) { PushEvent(std::move(event)); }),
      delivery_(NewPeerDelivery(
          config_,
          {id_, codec, std::move(buffers), &message_ids_, transport_.get(),
           &inbox_, &callbacks_, &rejections_, &application_})) {
  callbacks_.ShareOutEvents();
  for (const ServerAddress& server : config_.servers) {
    if (server.id != id_) delivery_->Add(server.id, PeerStats());
  }
}

void ServerCore::End(std::unique_ptr<ServerCore> core) {
  const bool in_callback = core->callbacks_.InCallback();
  if (!core->InAnotherProcess() && !in_callback) return;
  if (!core->InAnotherProcess()) {
    std::fprintf(stderr,
                 "cluster: server %d was destroyed in one of its own callbacks "
                 "(exit does that to a static one). Its threads and sockets "
                 "are left as they are, and what it had accepted is lost; "
                 "return from the callback first, or use _exit\n",
                 core->id_);
    core->callbacks_.StopBeginning();
    core->delivery_->Leave();
  }
  static std::atomic<ServerCore*> kept{nullptr};
  core->kept_before_ = kept.exchange(core.get());
  static_cast<void>(core.release());  // kept for the process
}

absl::Status ServerCore::AfterFork() {
  return absl::FailedPreconditionError(
      "this server was started in another process, before fork, and its "
      "sockets and threads are that process's; make another one here with "
      "NewServer, or fork before Start");
}

// In a child of fork the holder of the mutex may not exist, and may have left the
// facts half changed. So it does not wait there. The analysis is off since it
// cannot follow a condition.
bool ServerCore::LockFacts() const CLUSTER_NO_THREAD_SAFETY_ANALYSIS {
  if (InAnotherProcess()) return lifecycle_mutex_.TryLock();
  lifecycle_mutex_.Lock();
  return true;
}

void ServerCore::Enter(int id) {
  OrEndProcess("AddPeer", [&] {
    MutexLock lock(&members_mutex_);
    const auto before = std::find_if(
        removed_.begin(), removed_.end(),
        [id](const PeerStats& removed) { return removed.peer == id; });
    if (before == removed_.end()) return delivery_->Add(id, PeerStats());
    delivery_->Add(id, *before);
    removed_.erase(before);
  });
}

void ServerCore::Retire(int id) {
  OrEndProcess("RemovePeer", [&] {
    MutexLock lock(&members_mutex_);
    removed_.push_back(delivery_->Remove(id));
    rejections_.Forget(id);
    if (removed_.size() <= ServerStats::kRemovedKept) return;
    AddCounters(removed_.front(), &removed_earlier_);
    removed_.pop_front();
  });
}

bool ServerCore::IsLeaving(int id) const {
  return std::find(leaving_.begin(), leaving_.end(), id) != leaving_.end();
}

absl::Status ServerCore::Leaving(int id) {
  return absl::FailedPreconditionError(absl::StrCat(
      "server ", id, " is being removed: add it when RemovePeer has returned"));
}

ServerAddress* ServerCore::FindAddress(int id) {
  for (ServerAddress& server : servers()) {
    if (server.id == id) return &server;
  }
  return nullptr;
}

bool ServerCore::SetHandler(absl::FunctionRef<void(Callbacks*)> set) {
  if (InAnotherProcess()) return false;
  MutexLock lock(&lifecycle_mutex_);
  if (phase_ != Phase::kNew) return false;
  set(&callbacks_);
  return true;
}

bool ServerCore::SetLogSink(EventLog::Sink sink) {
  return SetHandler([&](Callbacks*) {
    log_.SetSink(std::move(sink));
    inbox_.SetLog(&log_);
  });
}

absl::Status ServerCore::StartSending() { return Begin(&sending_in_); }

absl::Status ServerCore::StartReceiving() {
  absl::Status status = Begin(&receiving_in_);
  if (status.ok()) callbacks_.EnableEnvelopes();
  return status;
}

absl::Status ServerCore::Begin(std::atomic<std::uint64_t>* begun_in) {
  if (InAnotherProcess()) return AfterFork();
  MutexLock lock(&lifecycle_mutex_);
  absl::Status status = Run();
  if (status.ok()) *begun_in = ForkGeneration();
  const bool half_begun = !status.ok() && phase_ == Phase::kRunning;
  lock.Unlock();
  if (half_begun) {
    log_.Say(LogSeverity::kError, "failed", status.message());
    Stop();
  }
  return status;
}

// Binds, dials and lets time pass; once.
absl::Status ServerCore::Run() {
  if (phase_ == Phase::kRunning) return absl::OkStatus();
  if (phase_ == Phase::kStopped)
    return absl::CancelledError("the server was stopped");
  // Not before: a process may fork first, and start both copies.
  const std::uint64_t incarnation = NewIncarnation();
  message_ids_.SetIncarnation(incarnation);
  incarnation_ = incarnation;
  started_at_ns_ = absl::GetCurrentTimeNanos();
  delivery_->Begin(incarnation);
  started_in_ = ForkGeneration();
  const std::string& address = FindAddress(id_)->listening();
  absl::Status status = transport_->Start(delivery_.get(), address);
  if (!status.ok()) {
    started_in_ = kNever;
    return AtServer(id_, AtListener(status, address, listener_place_));
  }
  phase_ = Phase::kRunning;
  return InMemory([this] {
    lifecycle_mutex_.AssertHeld();
    return RunParts();
  });
}

absl::Status ServerCore::RunParts() {
  bound_address_ = transport_->Address();
  if (AsksForAnyPort(FindAddress(id_)->address))
    delivery_->Bound(bound_address_);
  absl::Status status = log_.Start();
  if (status.ok()) {
    log_.Say(LogSeverity::kInfo, "started",
             absl::StrCat("at ", bound_address_));
    status = callbacks_.Start();
  }
  if (status.ok()) status = Dial();
  if (status.ok()) status = delivery_->StartTicking();
  if (status.ok()) status = WatchKeys();
  return status;
}

absl::Status ServerCore::WatchKeys() {
  if (config_.security.reload != SecurityConfig::Reload::kOnChange)
    return key_watch_.Start(nullptr, nullptr);
  return key_watch_.Start(
      [this] {
        MutexLock lock(&reload_mutex_);
        return ResolveSecurity(config_, id_);
      },
      [this] { return ReloadSecurity(); });
}

void ServerCore::PushEvent(PeerEvent event) {
  inbox_.PushEvent(std::move(event));
  callbacks_.Wake();
}

absl::Status ServerCore::Dial() {
  for (const ServerAddress& server : servers()) {
    if (server.id == id_ || !AddressKnown(server.address)) continue;
    const absl::Status status = delivery_->Connect(server.id, server.address);
    if (!status.ok()) return AtServer(server.id, status);
  }
  return absl::OkStatus();
}

absl::Status ServerCore::AddPeer(int id, const std::string& address) {
  if (InAnotherProcess()) return AfterFork();
  MutexLock lock(&lifecycle_mutex_);
  if (phase_ == Phase::kStopped)
    return absl::CancelledError("the server was stopped");
  if (id < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("server id ", id, ": want 0 to ", kServerIdMax));
  }
  if (IsLeaving(id)) return Leaving(id);
  ServerAddress* const known = FindAddress(id);
  if (known != nullptr && (id == id_ || AddressKnown(known->address))) {
    return absl::AlreadyExistsError(absl::StrCat(
        "server ", id, " is a member already, at ", known->address));
  }
  if (absl::Status status =
          CheckNewPeer(config_, id, address, transport_->Address());
      !status.ok()) {
    return AtServer(id, status);
  }
  ServerAddress member{id, address};
  servers().reserve(servers().size() + 1);
  if (!delivery_->Has(id)) Enter(id);
  if (phase_ == Phase::kRunning && AddressKnown(address)) {
    absl::Status status =
        InMemory([&] { return delivery_->Connect(id, address); });
    if (!status.ok()) {
      if (FindAddress(id) == nullptr) Retire(id);
      return status;
    }
  }
  if (ServerAddress* const moved = FindAddress(id)) {
    moved->address = std::move(member.address);
  } else {
    servers().push_back(std::move(member));
  }
  return absl::OkStatus();
}

absl::Status ServerCore::RemovePeer(int id, absl::Duration drain) {
  if (InAnotherProcess()) return AfterFork();
  const bool waits = drain > absl::ZeroDuration() && delivery_->acknowledges();
  if (waits && callbacks_.InCallback()) {
    return absl::FailedPreconditionError(
        "RemovePeer in a callback must not wait: give it no time to drain");
  }
  {
    MutexLock lock(&lifecycle_mutex_);
    if (id == id_ || FindAddress(id) == nullptr) {
      lock.Unlock();
      return UnknownPid(id);
    }
    leaving_.reserve(leaving_.size() + 1);
    servers().erase(std::remove_if(servers().begin(), servers().end(),
                                   [id](const ServerAddress& server) {
                                     return server.id == id;
                                   }),
                    servers().end());
    leaving_.push_back(id);
  }
  const bool drained = !waits || Drain(id, drain);
  {
    MutexLock lock(&lifecycle_mutex_);
    leaving_.erase(std::find(leaving_.begin(), leaving_.end(), id));
    Retire(id);
    if (phase_ == Phase::kRunning) transport_->Disconnect(id);
  }
  callbacks_.Wake();
  if (stopped_ && !drained)
    return absl::CancelledError("the server was stopped");
  if (drained) return absl::OkStatus();
  return absl::DeadlineExceededError(absl::StrCat(
      "server ", id, " was removed, but has not acknowledged all within ",
      absl::FormatDuration(drain), "; the rest was dropped"));
}

bool ServerCore::Drain(int id, absl::Duration drain) {
  delivery_->TakeNoMore(id);
  return delivery_->Flush(id, Deadline(drain)).empty() && !stopped_;
}

// The queue stays, and the session if the same process answers at the new address.
absl::Status ServerCore::UpdatePeer(int id, const std::string& address) {
  if (InAnotherProcess()) return AfterFork();
  MutexLock lock(&lifecycle_mutex_);
  if (phase_ == Phase::kStopped)
    return absl::CancelledError("the server was stopped");
  ServerAddress* const known = FindAddress(id);
  if (id == id_ || known == nullptr) {
    lock.Unlock();
    return UnknownPid(id);
  }
  if (known->address == address) return absl::OkStatus();
  if (absl::Status status =
          CheckNewPeer(config_, id, address, transport_->Address());
      !status.ok())
    return AtServer(id, status);
  if (!AddressKnown(address)) {
    return AtServer(
        id, absl::InvalidArgumentError(absl::StrCat(
                "address ", address, ": want one to dial, with a port")));
  }
  std::string moved = address;
  if (phase_ == Phase::kRunning) {
    transport_->Disconnect(id);
    absl::Status status = delivery_->Connect(id, address);
    if (!status.ok()) {
      // The old address was good.
      if (AddressKnown(known->address))
        delivery_->Connect(id, known->address).IgnoreError();
      return AtServer(id, status);
    }
  }
  known->address = std::move(moved);
  return absl::OkStatus();
}

// Not under the lifecycle's lock: callbacks, which the transport may wait for,
// take it.
absl::Status ServerCore::ReloadSecurity() {
  if (InAnotherProcess()) return AfterFork();
  if (callbacks_.InCallback())
    return absl::FailedPreconditionError("ReloadSecurity in a callback");
  if (stopped_) return absl::CancelledError("the server was stopped");
  MutexLock lock(&reload_mutex_);
  absl::Status status = LoadKeys(config_);
  if (status.ok()) key_watch_.KeysLoaded();
  return status;
}

absl::Status ServerCore::LoadKeys(const Config& config) {
  const absl::StatusOr<SecurityFiles> files = ResolveSecurity(config, id_);
  if (!files.ok()) return files.status();
  const absl::Status status = transport_->ReloadSecurity(*files);
  return status.ok() ? status : AtKeyFile(config, *files, status);
}

// Half stopped it would be of no use to anybody.
void ServerCore::Stop() {
  OrEndProcess("Stop", [this] { StopAll(); });
}

void ServerCore::StopAll() {
  if (callbacks_.InCallback() || InAnotherProcess()) return;
  // The lifecycle's lock is not held while handlers are waited for: they may
  // ask for Peers.
  MutexLock stop_lock(&stop_mutex_);
  bool ran = false;
  absl::Duration linger;
  {
    MutexLock lock(&lifecycle_mutex_);
    if (phase_ == Phase::kStopped) return;
    linger = config_.linger;
    ran = phase_ == Phase::kRunning;
    phase_ = Phase::kStopped;
    // stopped_ first, so that a caller that finds nothing is sent also sees why.
    stopped_ = true;
    sending_in_ = kNever;
  }
  const auto deadline = Deadline(linger);
  if (ran) log_.Say(LogSeverity::kInfo, "stopping", "");
  key_watch_.Stop();
  if (ran) delivery_->Finish(deadline);
  callbacks_.StopBeginning();
  inbox_.Close();
  const absl::Duration linger_max = delivery_->Leave();
  const absl::Duration left =
      absl::FromChrono(deadline - std::chrono::steady_clock::now());
  transport_->Stop(std::clamp(left, kGoodbyeLingerMin, linger_max));
  callbacks_.Stop();
  if (ran) log_.Say(LogSeverity::kInfo, "stopped", "");
  log_.Stop();
}

std::vector<int> ServerCore::Peers() const {
  std::vector<int> ids;
  if (!LockFacts()) return ids;
  const MutexLock lock(&lifecycle_mutex_, std::adopt_lock);
  for (const ServerAddress& server : servers()) {
    if (server.id != id_) ids.push_back(server.id);
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

std::string ServerCore::Address() const {
  if (!LockFacts()) return "";
  const MutexLock lock(&lifecycle_mutex_, std::adopt_lock);
  if (!bound_address_.empty()) return bound_address_;
  for (const ServerAddress& server : servers()) {
    if (server.id == id_) return server.listening();
  }
  return "";
}

Config ServerCore::CurrentConfig() const {
  if (!LockFacts()) return Config();
  const MutexLock lock(&lifecycle_mutex_, std::adopt_lock);
  return config_;
}

absl::Status ServerCore::Probe(int pid) {
  if (InAnotherProcess()) return AfterFork();
  if (!sending()) return NotSending();
  if (!delivery_->acknowledges()) {
    return absl::FailedPreconditionError(
        "Probe with best-effort delivery, which acknowledges nothing");
  }
  return delivery_->Probe(pid) ? absl::OkStatus() : UnknownPid(pid);
}

ServerStats ServerCore::Stats() const {
  ServerStats stats;
  stats.delivered = inbox_.delivered();
  stats.slow_handlers = callbacks_.slow_handlers();
  stats.application_stalls = application_.stalls();
  stats.inbox_bytes = inbox_.bytes();
  // The rest is behind locks.
  if (InAnotherProcess()) return stats;
  stats.own = inbox_.OwnStats();
  stats.own.peer = id_;
  stats.own.up = sending();
  stats.own.incarnation = incarnation_;
  if (started_at_ns_ != 0)
    stats.own.since = absl::FromUnixNanos(started_at_ns_);
  stats.self_sent = stats.own.accepted;
  {
    MutexLock lock(&members_mutex_);
    stats.peers.assign(removed_.begin(), removed_.end());
    stats.removed_earlier = removed_earlier_;
    delivery_->AddStats(&stats);
  }
  const std::vector<PinnedCertificate> certificates =
      transport_->Certificates();
  if (!certificates.empty()) {
    const absl::Time now = absl::Now();
    stats.own.certificate_expires = CertificateExpiry(certificates, id_, now);
    for (PeerStats& peer : stats.peers)
      peer.certificate_expires =
          CertificateExpiry(certificates, peer.peer, now);
  }
  std::sort(stats.peers.begin(), stats.peers.end(),
            [](const PeerStats& one, const PeerStats& other) {
              return one.peer < other.peer;
            });
  stats.refused = rejections_.counts();
  return stats;
}

}  // namespace cluster::internal
