#include "cluster/sim/sim_server.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace cluster {
namespace {

// A tenth of the shortest configured time, as Session::Tick requires.
constexpr absl::Duration kTick = absl::Milliseconds(20);

internal::SessionConfig WithClock(internal::SessionConfig config,
                                  const World* world) {
  config.clock = [world] { return world->Now(); };
  return config;
}

}  // namespace

SimServer::SimServer(int id, const internal::SessionConfig& config,
                     const Surroundings& around)
    : around_(around), config_(WithClock(config, around.world)) {
  self_.server = id;
}

void SimServer::Peer::OnArrival(internal::Arrival arrival) {
  inbox_bytes += internal::FrameCharge(arrival.body.bytes.size());
  InboxItem item;
  item.peer = id;
  item.arrival = std::move(arrival);
  server->inbox_.push_back(std::move(item));
}

void SimServer::Peer::OnSessionEvent(PeerEvent event) {
  raised.push_back(event);
  server->around_.world->Trace(
      PeerEventTypeName(event.type),
      {static_cast<std::uint64_t>(server->id()), static_cast<std::uint64_t>(id),
       event.unknown_fate, event.resent});
  InboxItem item;
  item.peer = id;
  item.is_event = true;
  item.event = std::move(event);
  server->inbox_.push_back(std::move(item));
}

void SimServer::Peer::OnFate(const Fate& fate) {
  server->around_.checker->OnFate(server->self_, fate);
}

SimServer::Peer* SimServer::Find(int peer) {
  const auto found = sessions_.find(peer);
  return found == sessions_.end() ? nullptr : found->second.get();
}

void SimServer::After(absl::Duration delay, void (SimServer::*task)()) {
  around_.world->After(delay, [this, task, life = self_.life] {
    if (running_ && life == self_.life) (this->*task)();
  });
}

void SimServer::Start() {
  running_ = true;
  ++self_.life;
  self_.incarnation = around_.world->Random() | 1;
  // Only server 1 has later versions: two such servers would agree on one that
  // does not exist.
  if (id() == 1) {
    versions_.max =
        static_cast<std::uint8_t>(kFrameVersionMax + around_.world->Below(3));
  }
  const std::uint64_t dice = around_.world->Below(16);
  features_ = (dice % 4 == 0 ? 0 : kFeatureGroups) |
              (dice / 4 == 0 ? 0 : kFeatureStandstill);
  stands_still_ = std::make_shared<std::atomic<bool>>(false);
  if (around_.world->Below(4) > 0) features_ |= kFeatureLiveTimes;
  message_sequence_ = 0;
  taking_ = pump_scheduled_ = false;
  around_.world->Trace("start", {static_cast<std::uint64_t>(id()), life()});
  around_.checker->OnLife(self_);
  around_.network->Attach(id(), this);
  calls_ = std::make_unique<internal::Calls>(
      &line_, Caller::kCallsMax, around_.world->Random() >> 2,
      [this] { return around_.world->Now(); });
  memory_ = memory_bytes_max_ == 0
                ? std::make_shared<internal::MemoryBudget>()
                : std::make_shared<internal::MemoryBudget>(
                      internal::ShareOutMemory(memory_bytes_max_,
                                               config_.payload_bytes_max),
                      static_cast<int>(peers_.size()), config_.frame_bytes);
  for (int peer : peers_) MakeSession(peer);
  After(kTick, &SimServer::Tick);
  around_.application->OnStart(*this);
}

void SimServer::Crash() {
  calls_ = nullptr;
  around_.checker->OnCallsGone(self_);
  running_ = false;
  around_.world->Trace("crash", {static_cast<std::uint64_t>(id()), life()});
  around_.network->Detach(id());
  for (const auto& entry : sessions_)
    around_.checker->OnSessionGone(self_, entry.first);
  sessions_.clear();
  leaving_.clear();
  inbox_.clear();
}

void SimServer::Stop() {
  for (const auto& entry : sessions_)
    entry.second->session->SayGoodbye(GoodbyeReason::kStopped);
  PumpAll();
  for (const auto& entry : sessions_) {
    entry.second->session->Abandon(DropReason::kStopped);
    Observe(entry.second.get());
  }
  Crash();
}

void SimServer::StandStill(bool still) {
  around_.world->Trace("stands still",
                       {static_cast<std::uint64_t>(id()), still});
  *stands_still_ = still;
  around_.checker->OnStandstill(self_, still);
  ScheduleTake();
}

bool SimServer::SetTimes(absl::Duration heartbeat,
                         absl::Duration peer_timeout) {
  for (const auto& entry : sessions_) {
    const internal::Session& session = *entry.second->session;
    if (session.id() != 0 && (session.features() & kFeatureLiveTimes) == 0)
      return false;
  }
  around_.world->Trace(
      "times",
      {static_cast<std::uint64_t>(id()),
       static_cast<std::uint64_t>(absl::ToInt64Milliseconds(heartbeat)),
       static_cast<std::uint64_t>(absl::ToInt64Milliseconds(peer_timeout))});
  config_.heartbeat = heartbeat;
  config_.peer_timeout = peer_timeout;
  for (const auto& entry : sessions_) {
    entry.second->session->Take(config_, around_.world->Now());
    Observe(entry.second.get());
  }
  PumpAll();
  return true;
}

void SimServer::AddPeer(int peer) {
  if (leaving_.count(peer) > 0 || !peers_.insert(peer).second) return;
  if (running_) MakeSession(peer);
}

void SimServer::RemovePeer(int peer, absl::Duration drain) {
  if (peers_.erase(peer) == 0 || !running_) return;
  if (drain == absl::ZeroDuration()) return Remove(peer, /*drained=*/false);
  around_.world->Trace("leave", {static_cast<std::uint64_t>(id()),
                                 static_cast<std::uint64_t>(peer)});
  leaving_[peer] = around_.world->Now() + drain;
  Find(peer)->queue.TakeNoMore();
}

// Removes a peer that leaves, if it has all or if its time is over.
void SimServer::LetGo(int peer) {
  const bool drained = Find(peer)->session->Drained();
  if (!drained && around_.world->Now() < leaving_[peer]) return;
  leaving_.erase(peer);
  Remove(peer, drained);
}

void SimServer::UpdatePeer(int peer) {
  Peer* const found = Find(peer);
  if (found == nullptr) return;
  around_.world->Trace("update", {static_cast<std::uint64_t>(id()),
                                  static_cast<std::uint64_t>(peer)});
  around_.network->Disconnect(id(), peer);
  around_.network->Connect(id(), peer);
  if (found->session->connected()) found->session->OnRedial();
  Observe(found);
}

void SimServer::Remove(int peer, bool drained) {
  Peer* const gone = Find(peer);
  around_.world->Trace("remove", {static_cast<std::uint64_t>(id()),
                                  static_cast<std::uint64_t>(peer)});
  gone->session->SayGoodbye(GoodbyeReason::kRemovedYou);
  Pump(gone);
  InboxItem told;
  told.peer = peer;
  told.is_event = true;
  told.event.type = PeerEvent::kRemoved;
  told.event.peer = peer;
  const std::uint64_t held = gone->session->Stats().queued;
  told.event.unknown_fate = gone->session->Abandon(DropReason::kRemoved);
  if (drained && (held > 0 || told.event.unknown_fate > 0))
    around_.checker->Fail("a peer that had all lost something");
  Observe(gone);
  around_.checker->OnSessionGone(self_, peer);
  around_.network->Disconnect(id(), peer);
  sessions_.erase(peer);
  inbox_.erase(std::remove_if(
                   inbox_.begin(), inbox_.end(),
                   [peer](const InboxItem& item) { return item.peer == peer; }),
               inbox_.end());
  inbox_.push_back(std::move(told));
  ScheduleTake();
}

void SimServer::MakeSession(int peer) {
  internal::SessionConfig config = config_;
  config.self_id = id();
  config.peer_id = peer;
  config.incarnation = self_.incarnation;
  config.versions = versions_;
  config.features = features_;
  config.stands_still = stands_still_;
  config.memory = memory_;
  auto made = std::make_unique<Peer>(this, peer, config_);
  World* const world = around_.world;
  made->session = std::make_unique<internal::Session>(
      config, [world] { return world->Random(); }, made.get(), &made->queue);
  sessions_[peer] = std::move(made);
  around_.checker->OnSessionMade(self_, peer);
  around_.network->Connect(id(), peer);
}

int SimServer::Send(const Envelope& envelope) {
  return Send(envelope, SendOptions());
}

int SimServer::Send(const Envelope& envelope, const SendOptions& options) {
  ++message_sequence_;
  int accepted = 0;
  for (const auto& entry : sessions_) {
    if (envelope.pid != kBroadcast && envelope.pid != entry.first) continue;
    const internal::SendOutcome outcome =
        SendTo(entry.second.get(), envelope, options);
    accepted += outcome == internal::SendOutcome::kAccepted ? 1 : 0;
  }
  return accepted;
}

// With the latest message id.
internal::SendOutcome SimServer::SendTo(Peer* peer, const Envelope& envelope,
                                        const SendOptions& options) {
  if (options.only_if_up && !peer->session->up())
    return internal::SendOutcome::kDown;
  Envelope sent = envelope;
  sent.sender_id = id();
  sent.message_id = {self_.incarnation, message_sequence_};
  internal::RecordOptions record;
  record.replaces = options.replaces;
  record.group = sent.group;
  if (options.expires_after != absl::InfiniteDuration())
    record.expires_at = around_.world->Now() + options.expires_after;
  record.fates = options.report_fate ? peer : nullptr;
  record.message_id = sent.message_id;
  record.pid = peer->id;
  const bool plain = !options.report_fate && record.replaces == 0 &&
                     record.expires_at == absl::InfiniteFuture();
  const internal::Appended appended =
      plain ? peer->queue.Append(peer->id, sent)
            : peer->queue.AppendWith(peer->id, sent, record);
  if (appended.outcome == internal::SendOutcome::kAccepted)
    around_.checker->OnAccepted(self_, peer->id, sent, options.report_fate);
  // A full queue that refuses may still have dropped its oldest envelope.
  if (appended.wanted) {
    Pump(peer);
  } else {
    Observe(peer);
  }
  return appended.outcome;
}

absl::Status SimServer::Line::Send(const EnvelopeView& envelope,
                                   const SendOptions& options) {
  Peer* const peer = server->Find(envelope.pid);
  if (peer == nullptr) return absl::NotFoundError("no such peer");
  ++server->message_sequence_;
  switch (server->SendTo(peer, envelope.ToEnvelope(), options)) {
    case internal::SendOutcome::kAccepted:
      return absl::OkStatus();
    case internal::SendOutcome::kRemoved:
      return absl::NotFoundError("the peer leaves");
    case internal::SendOutcome::kDown:
      return absl::UnavailableError("the peer is not up");
    default:
      return absl::ResourceExhaustedError("no room");
  }
}

bool SimServer::Line::Withdraw(int pid, Lane lane, std::uint64_t group,
                               std::uint64_t replaces) {
  Peer* const peer = server->Find(pid);
  if (peer == nullptr || !peer->queue.Withdraw(pid, lane, group, replaces))
    return false;
  server->Pump(peer);
  return true;
}

absl::StatusOr<std::uint64_t> SimServer::Call(int pid,
                                              const EnvelopeView& request,
                                              absl::Duration deadline,
                                              Caller::Callback callback) {
  // It ends in a task of the world, so after this call.
  const std::uint64_t sequence = message_sequence_ + 1;
  absl::StatusOr<std::uint64_t> number = calls_->Call(
      pid, request, deadline,
      [this, self = self_, pid, sequence,
       callback](const absl::StatusOr<EnvelopeView>& answer) {
        around_.checker->OnCallEnded(self, pid, sequence, answer.status());
        callback(answer);
      });
  if (number.ok()) around_.checker->OnCall(self_, pid, sequence);
  return number;
}

absl::Status SimServer::Answer(const EnvelopeView& request,
                               const EnvelopeView& answer) {
  return calls_->Answer(request, answer);
}

void SimServer::Observe(Peer* peer, std::uint64_t hello_incarnation) {
  SessionObservation seen;
  seen.stats = peer->session->Stats();
  seen.events = std::move(peer->raised);
  peer->raised.clear();
  seen.hello_incarnation = hello_incarnation;
  seen.last_frame = peer->last_frame;
  seen.learns_standstill =
      (peer->session->features() & kFeatureStandstill) != 0;
  seen.inbox_bytes = peer->inbox_bytes;
  around_.checker->OnSession(self_, peer->id, seen);
  ObserveMemory();
  ScheduleTake();
}

void SimServer::ObserveMemory() {
  MemoryObservation seen{};
  for (const auto& entry : sessions_) {
    seen.sending += entry.second->session->held_bytes();
    seen.received += entry.second->session->received_bytes();
    seen.waiting = seen.waiting || entry.second->session->holding();
  }
  seen.reassembly = memory_->reassembly_bytes();
  around_.checker->OnMemory(self_, seen, memory_->parts());
}

void SimServer::Pump(Peer* peer) {
  internal::Session& session = *peer->session;
  while (true) {
    Frame frame;
    if (!session.NextFrame(around_.world->Now(), &frame)) break;
    if (around_.network->Send(id(), peer->id, frame) ==
        SendResult::kBackPressured) {
      session.FrameNotTaken();
      break;
    }
  }
  Observe(peer);
}

void SimServer::PumpAll() {
  pump_scheduled_ = false;
  for (const auto& entry : sessions_) Pump(entry.second.get());
}

void SimServer::Tick() {
  for (const auto& entry : sessions_) {
    entry.second->session->Tick(around_.world->Now());
    Observe(entry.second.get());
  }
  PumpAll();
  const std::map<int, absl::Time> leaving = leaving_;
  for (const auto& entry : leaving) LetGo(entry.first);
  calls_->Expire();
  After(kTick, &SimServer::Tick);
}

FrameVerdict SimServer::OnFrame(ReceivedFrame frame) {
  FrameHeader header;
  absl::string_view body;
  if (DecodeFrame(frame.slice.bytes, &header, &body) != FrameError::kNone)
    return FrameVerdict::kMalformed;
  Peer* const peer = Find(static_cast<int>(header.sender_id));
  if (peer == nullptr) return FrameVerdict::kAccepted;
  Hello hello;
  if (header.kind == FrameKind::kHello) DecodeHello(body, &hello);
  peer->last_frame = around_.world->Now();
  peer->session->OnFrame(header, Slice{frame.slice.owner, body},
                         around_.world->Now());
  Observe(peer, hello.incarnation);
  return FrameVerdict::kAccepted;
}

void SimServer::OnDrained() {
  // At once, or a little later together with what else has arrived by then.
  if (around_.world->Chance(0.5)) {
    PumpAll();
  } else if (!pump_scheduled_) {
    pump_scheduled_ = true;
    After(absl::Microseconds(500), &SimServer::PumpAll);
  }
}

void SimServer::OnWritable(int peer) {
  Peer* const found = Find(peer);
  if (found == nullptr) return;
  found->session->OnWritable();
  Pump(found);
}

// The network has one thread, so no callback is of an earlier generation.
void SimServer::OnConnected(int peer, std::uint64_t /*generation*/) {
  Peer* const found = Find(peer);
  if (found == nullptr) return;
  found->session->OnConnected(around_.world->Now());
  Pump(found);
}

void SimServer::OnDisconnected(int peer, std::uint64_t /*generation*/,
                               absl::string_view reason) {
  Peer* const found = Find(peer);
  if (found == nullptr) return;
  found->session->OnDisconnected(reason, around_.world->Now());
  Observe(found);
}

void SimServer::ScheduleTake() {
  if (taking_ || inbox_.empty() || *stands_still_) return;
  taking_ = true;
  const bool stall = around_.world->Chance(pace_.stall);
  After(around_.world->Between(absl::ZeroDuration(),
                               stall ? pace_.stall_max : pace_.pause_max),
        &SimServer::Take);
}

void SimServer::Take() {
  taking_ = false;
  if (inbox_.empty() || *stands_still_) return;
  const InboxItem item = std::move(inbox_.front());
  inbox_.pop_front();
  if (item.is_event) {
    around_.checker->OnEvent(self_, item.peer, item.event);
    calls_->OnPeerEvent(item.event);
    around_.application->OnPeerEvent(*this, item.event);
  } else if (Peer* const peer = Find(item.peer)) {
    TakeArrival(peer, item.arrival);
  }
  ScheduleTake();
}

void SimServer::TakeArrival(Peer* peer, const internal::Arrival& arrival) {
  const int peer_id = peer->id;
  peer->inbox_bytes -= internal::FrameCharge(arrival.body.bytes.size());
  absl::string_view rest = arrival.body.bytes;
  DecodeState state;
  const EnvelopeView& envelope = state.envelope;
  std::uint32_t records = 0;
  for (; !rest.empty(); ++records) {
    if (!config_.codec->NextRecord(&rest, &state).ok()) break;
    if ((internal::FeaturesOf(envelope) & ~features_) != 0)
      around_.checker->Fail(
          "an envelope that its receiver does not understand");
    around_.checker->OnTaken(self_, peer_id, arrival.session, envelope);
    around_.world->Trace("take",
                         {static_cast<std::uint64_t>(id()),
                          static_cast<std::uint64_t>(envelope.sender_id),
                          envelope.message_id.sequence});
    if (!calls_->OnEnvelope(envelope))
      around_.application->OnEnvelope(*this, envelope);
  }
  if (!rest.empty() || records != arrival.records)
    around_.checker->Fail("an arrival whose records make no sense");
  // The application may have removed the peer.
  Peer* const still = Find(peer_id);
  if (still == nullptr) return;
  still->session->Consumed(arrival.session, arrival.sequence);
  Pump(still);
}

bool SimServer::Drained() const {
  return inbox_.empty() && leaving_.empty() && calls_->Stats().waiting == 0 &&
         std::all_of(sessions_.begin(), sessions_.end(), [](const auto& entry) {
           return entry.second->session->Drained() &&
                  entry.second->session->up();
         });
}

void SimServer::Settle() {
  for (const auto& entry : sessions_)
    around_.checker->OnSettled(self_, entry.first);
}

}  // namespace cluster
