#include "cluster/server/reliable_delivery.h"

#include <algorithm>
#include <utility>

#include "cluster/base/clock.h"
#include "cluster/base/start_thread.h"
#include "cluster/codec/frame_header.h"

namespace cluster::internal {
namespace {

constexpr absl::Duration kTickSoon = absl::Milliseconds(20);
constexpr absl::Duration kTickAtLeisure = absl::Milliseconds(100);

constexpr absl::Duration kTrimInterval = absl::Seconds(1);

// Only goodbyes are left by then: unacknowledged envelopes count as dropped.
constexpr absl::Duration kGoodbyeLingerMax = absl::Milliseconds(200);

std::shared_ptr<MemoryBudget> NewMemoryBudget(const Config& config) {
  return std::make_shared<MemoryBudget>(
      ShareOutMemory(config.memory_bytes_max, config.payload_bytes_max),
      static_cast<int>(config.servers.size()) - 1, config.frame_bytes);
}

SessionConfig NewSessionConfig(const Config& config, const DeliveryParts& parts,
                               std::shared_ptr<MemoryBudget> memory) {
  SessionConfig session = MakeSessionConfig(config, parts.self_id, kBroadcast);
  session.codec = parts.codec;
  session.buffers = parts.buffers;
  session.memory = std::move(memory);
  return session;
}

// The body has taken its share over from the frame.
FrameError Decode(ReceivedFrame* frame, FrameHeader* header, Slice* body) {
  if (!frame->rest.bytes.empty()) {
    *body = std::move(frame->rest);
    return DecodeFrame(frame->slice.bytes, body->bytes, header);
  }
  body->owner = std::move(frame->slice.owner);
  return DecodeFrame(frame->slice.bytes, header, &body->bytes);
}

}  // namespace

ReliableDelivery::ReliableDelivery(const Config& config,
                                   const DeliveryParts& parts)
    : DeliveryTo(parts),
      memory_(NewMemoryBudget(config)),
      session_(NewSessionConfig(config, parts, memory_)),
      broadcaster_(session_, &peers_),
      tick_soon_(std::min(kTickSoon, config.heartbeat / 4)),
      tick_at_leisure_(std::min(kTickAtLeisure, config.heartbeat / 2)) {}

std::unique_ptr<ReliablePeer> ReliableDelivery::NewPeer() {
  return std::make_unique<ReliablePeer>(session_, parts_.transport,
                                        parts_.inbox, parts_.callbacks,
                                        parts_.rejections);
}

void ReliableDelivery::Add(int id, const PeerStats& before) {
  SettleBroadcasts();
  DeliveryTo::Add(id, before);
}

PeerStats ReliableDelivery::Remove(int id) {
  SettleBroadcasts();
  return DeliveryTo::Remove(id);
}

void ReliableDelivery::AddStats(ServerStats* stats) const {
  SettleBroadcasts();
  DeliveryTo::AddStats(stats);
  for (const PeerStats& peer : stats->peers)
    stats->held_bytes += peer.held_bytes;
  stats->reassembly_bytes = memory_->reassembly_bytes();
  stats->held_bytes += stats->reassembly_bytes;
}

SendOutcome ReliableDelivery::Send(int id, const EnvelopeView& envelope) {
  SettleBroadcasts();
  return DeliveryTo::Send(id, envelope);
}

std::vector<int> ReliableDelivery::Flush(
    absl::optional<int> id, std::chrono::steady_clock::time_point deadline) {
  SettleBroadcasts();
  struct Waited {
    int id;
    ReliablePeer* peer;
    SendMark mark;
  };
  // All marks before any waiting: it is this moment that counts for each peer.
  std::vector<Waited> all;
  for (ReliablePeer* const peer : peers_.all()) {
    const int member = peer->id();
    if (member != Peer::kNobody && (!id || member == *id))
      all.push_back({member, peer, peer->BeginFlush(member)});
  }
  std::vector<int> behind;
  for (const Waited& waited : all) {
    if (!waited.peer->WaitFlushed(waited.mark, deadline))
      behind.push_back(waited.id);
  }
  return behind;
}

void ReliableDelivery::Begin(std::uint64_t incarnation) {
  session_.incarnation = incarnation;
  for (ReliablePeer* const peer : peers_.all()) peer->Begin(incarnation);
}

void ReliableDelivery::Finish(std::chrono::steady_clock::time_point deadline) {
  broadcaster_.Stop();
  for (ReliablePeer* const peer : peers_.all()) peer->WaitReceived(deadline);
  StopTicking();
}

absl::Duration ReliableDelivery::Leave() {
  DeliveryTo::Leave();
  return kGoodbyeLingerMax;
}

absl::Status ReliableDelivery::StartTicking() {
  return StartThread(
      "cluster-tick", [this] { Loop(); }, &ticker_);
}

void ReliableDelivery::StopTicking() {
  {
    MutexLock lock(&ticking_mutex_);
    ticking_ends_ = true;
    stop_ticking_.NotifyAll();
  }
  if (ticker_.joinable()) ticker_.join();
}

void ReliableDelivery::Loop() {
  bool ends = false;
  while (!ends) {
    const bool busy = Tick();
    MutexLock lock(&ticking_mutex_);
    ends = stop_ticking_.WaitUntil(&ticking_mutex_, NextTick(busy), [this] {
      ticking_mutex_.AssertHeld();
      return ticking_ends_;
    });
  }
}

// Multiples of the interval, by the clock of this host: so servers that share
// it wake, and send heartbeats, mostly together. That costs each of them less.
std::chrono::steady_clock::time_point ReliableDelivery::NextTick(
    bool busy) const {
  if (busy) return Deadline(tick_soon_);
  using Clock = std::chrono::steady_clock;
  const auto interval = std::chrono::duration_cast<Clock::duration>(
      absl::ToChronoNanoseconds(tick_at_leisure_));
  const auto now = Clock::now().time_since_epoch();
  return Clock::time_point(now - now % interval + interval);
}

bool ReliableDelivery::Tick() {
  const absl::Time now = MonotonicNow();
  if (now >= trim_at_) {
    parts_.buffers->Trim();
    trim_at_ = now + kTrimInterval;
  }
  bool busy = false;
  for (ReliablePeer* const peer : peers_.all()) {
    if (peer->Tick(now)) busy = true;
  }
  // It still has broadcasts that it had no memory to hand over.
  broadcaster_.OnRoom();
  return busy;
}

FrameVerdict ReliableDelivery::OnFrame(ReceivedFrame frame) {
  FrameHeader header;
  Slice body;
  const FrameError error = Decode(&frame, &header, &body);
  if (error != FrameError::kNone && error != FrameError::kVersion)
    return Refuse(RefusalReason::kMalformed, FrameVerdict::kMalformed);
  const int sender = static_cast<int>(header.sender_id);
  if (!parts_.rejections->MaySpeakFor(sender, frame.identity))
    return FrameVerdict::kMalformed;
  ReliablePeer* const peer = peers_.Find(sender);
  if (error == FrameError::kVersion) {
    return peer != nullptr && peer->OnForeignVersion(header)
               ? FrameVerdict::kMalformed
               : Refuse(RefusalReason::kVersion, FrameVerdict::kMalformed);
  }
  bool may_pump = false;
  if (peer == nullptr || !peer->OnFrame(header, std::move(body), &may_pump))
    return Refuse(RefusalReason::kUnknownSender, FrameVerdict::kAccepted);
  if (may_pump) DrainLater(peer);
  return FrameVerdict::kAccepted;
}

void ReliableDelivery::DrainLater(ReliablePeer* peer) {
  MutexLock lock(&undrained_mutex_);
  if (std::find(undrained_.begin(), undrained_.end(), peer) !=
      undrained_.end()) {
    return;
  }
  undrained_.push_back(peer);
  any_undrained_.store(true, std::memory_order_release);
}

// First acknowledgements, and then handlers.
void ReliableDelivery::OnDrained() {
  if (any_undrained_.load(std::memory_order_acquire)) {
    Undrained undrained;
    {
      MutexLock lock(&undrained_mutex_);
      undrained.swap(undrained_);
      any_undrained_.store(false, std::memory_order_relaxed);
    }
    for (ReliablePeer* const peer : undrained) peer->OnDrained();
  }
  broadcaster_.OnRoom();
  DeliveryTo::OnDrained();
}

void ReliableDelivery::OnWritable(int id) {
  DeliveryTo::OnWritable(id);
  broadcaster_.OnRoom();
}

void ReliableDelivery::OnConnected(int id, std::uint64_t generation) {
  DeliveryTo::OnConnected(id, generation);
  broadcaster_.OnRoom();
}

}  // namespace cluster::internal
