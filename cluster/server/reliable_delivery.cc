#include "cluster/server/reliable_delivery.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/base/clock.h"
#include "cluster/codec/hello.h"
#include "cluster/codec/registry.h"
#include "cluster/session/printable.h"

namespace cluster::internal {
namespace {

constexpr absl::Duration kTickSoon = absl::Milliseconds(20);
constexpr absl::Duration kTickAtLeisure = absl::Milliseconds(100);

constexpr absl::Duration kTrimInterval = absl::Seconds(1);

// Only goodbyes are left by then: unacknowledged envelopes count as dropped.
constexpr absl::Duration kGoodbyeLingerMax = absl::Milliseconds(200);

absl::Duration TickSoon(const Config& config) {
  return std::min(kTickSoon, config.heartbeat / 4);
}

std::shared_ptr<MemoryBudget> NewMemoryBudget(const Config& config) {
  return std::make_shared<MemoryBudget>(
      ShareOutMemory(config.memory_bytes_max, config.payload_bytes_max),
      static_cast<int>(config.servers.size()) - 1, config.frame_bytes);
}

absl::Duration TickAtLeisure(const DeliveryParts& parts, const Config& config) {
  const absl::Duration most = std::min(kTickAtLeisure, config.heartbeat / 2);
  return parts.application->on() ? std::min(most, parts.application->interval())
                                 : most;
}

SessionConfig NewSessionConfig(const Config& config, const DeliveryParts& parts,
                               std::shared_ptr<MemoryBudget> memory) {
  SessionConfig session = MakeSessionConfig(config, parts.self_id, kBroadcast);
  session.codec = parts.codec;
  session.buffers = parts.buffers;
  session.memory = std::move(memory);
  return session;
}

// Bytes that are no frame may be an envelope of the best-effort delivery. Only so
// many are looked at: it takes longer than to look for a frame.
constexpr std::size_t kEnvelopeBytesMax = 64u << 10;

const char* Explanation(FrameError error) {
  switch (error) {
    case FrameError::kHeaderCrc:
    case FrameError::kBodyCrc:
      return "a checksum is wrong";
    case FrameError::kField:
      return "its header makes no sense";
    case FrameError::kTruncated:
    case FrameError::kOverlong:
      return "its length is wrong";
    case FrameError::kMagic:
    case FrameError::kVersion:
    case FrameError::kNone:
      break;
  }
  return "its first bytes are others";
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
    : DeliveryTo(parts, TickSoon(config), TickAtLeisure(parts, config)),
      memory_(NewMemoryBudget(config)),
      session_(NewSessionConfig(config, parts, memory_)),
      broadcaster_(session_, &peers_) {}

std::unique_ptr<ReliablePeer> ReliableDelivery::NewPeer() {
  return std::make_unique<ReliablePeer>(session_, parts_.transport,
                                        parts_.inbox, parts_.callbacks,
                                        parts_.rejections, ticker());
}

void ReliableDelivery::Add(int id, const PeerStats& before) {
  SettleBroadcasts();
  DeliveryTo::Add(id, before);
}

void ReliableDelivery::TakeNoMore(int id) {
  SettleBroadcasts();
  DeliveryTo::TakeNoMore(id);
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
  stats->kept_bytes = memory_->kept_bytes();
  stats->held_bytes += stats->reassembly_bytes;
}

SendOutcome ReliableDelivery::Send(int id, const EnvelopeView& envelope) {
  SettleBroadcasts();
  return DeliveryTo::Send(id, envelope);
}

SendOutcome ReliableDelivery::SendWith(int id, const EnvelopeView& envelope,
                                       const SendConditions& conditions) {
  SettleBroadcasts();
  return DeliveryTo::SendWith(id, envelope, conditions);
}

std::vector<int> ReliableDelivery::Broadcast(const EnvelopeView& envelope) {
  std::vector<int> troubled = broadcaster_.Send(envelope);
  ExpectTick();  // hands over what it keeps for lack of memory
  return troubled;
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

std::vector<int> ReliableDelivery::WithoutLiveTimes() const {
  std::vector<int> without;
  for (const ReliablePeer* const peer : peers_.all()) {
    const int id = peer->id();
    if (id != Peer::kNobody && !peer->MayChangeTimes()) without.push_back(id);
  }
  return without;
}

// Objects that serve nobody serve the next members.
void ReliableDelivery::Take(const Config& config) {
  CopyLiveLimits(config, &session_);
  broadcaster_.SetBatchBytes(BatchBytes(session_));
  for (ReliablePeer* const peer : peers_.all()) peer->Take(config);
  ticker()->SetIntervals(TickSoon(config), TickAtLeisure(parts_, config));
}

void ReliableDelivery::Begin(std::uint64_t incarnation) {
  session_.incarnation = incarnation;
  for (ReliablePeer* const peer : peers_.all()) peer->Begin(incarnation);
}

void ReliableDelivery::Bound(const std::string& address) {
  session_.address = address;
  for (ReliablePeer* const peer : peers_.all()) peer->Bound(address);
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

absl::Time ReliableDelivery::TickPeers(absl::Time now) {
  if (now >= trim_at_) {
    parts_.buffers->Trim();
    trim_at_ = now + kTrimInterval;
  }
  absl::Time idle_until = WatchApplication(now);
  for (ReliablePeer* const peer : peers_.all())
    idle_until = std::min(idle_until, peer->Tick(now));
  // It still has broadcasts that it had no memory to hand over.
  broadcaster_.OnRoom();
  return broadcaster_.open() ? absl::InfinitePast() : idle_until;
}

// Sessions say so from here on; after a change at once, also where they are idle.
absl::Time ReliableDelivery::WatchApplication(absl::Time now) {
  ApplicationWatch* const application = parts_.application;
  if (!application->on()) return absl::InfiniteFuture();
  const bool still = application->Look(now, parts_.inbox->progress(),
                                       parts_.callbacks->running_since());
  if (session_.stands_still->exchange(still) != still) {
    for (ReliablePeer* const peer : peers_.all()) peer->ExpectTick();
  }
  return now + application->interval();
}

FrameVerdict ReliableDelivery::OnFrame(ReceivedFrame frame) {
  FrameHeader header;
  Slice body;
  const FrameError error = Decode(&frame, &header, &body);
  if (error != FrameError::kNone && error != FrameError::kVersion)
    return RefuseBytes(error, frame.slice.bytes, frame);
  const int sender = static_cast<int>(header.sender_id);
  if (!parts_.rejections->MaySpeakFor(sender, frame.identity))
    return FrameVerdict::kMalformed;
  ReliablePeer* const peer = peers_.Find(sender);
  if (error == FrameError::kVersion) {
    if (peer == nullptr || !peer->OnForeignVersion(header)) {
      parts_.rejections->Refuse(RefusalReason::kVersion, sender, [&] {
        return absl::StrCat(
            "a frame of version ", header.version, " in the name of server ",
            sender, ", which is no member here", FromText(frame.source));
      });
    }
    return FrameVerdict::kMalformed;
  }
  if (peer == nullptr) return RefuseSender(header, body.bytes, frame);
  bool may_pump = false;
  if (!peer->OnFrame(header, std::move(body), &may_pump, frame.source)) {
    // It was removed meanwhile.
    frame.source = nullptr;  // it may be gone with the body
    return RefuseSender(header, "", frame);
  }
  if (may_pump) DrainLater(peer);
  return FrameVerdict::kAccepted;
}

FrameVerdict ReliableDelivery::RefuseBytes(FrameError error,
                                           absl::string_view bytes,
                                           const ReceivedFrame& frame) {
  DecodeState state;
  if (error != FrameError::kHeaderCrc && error != FrameError::kBodyCrc &&
      bytes.size() <= kEnvelopeBytesMax &&
      CodecOfStandalone(bytes, &state) != nullptr) {
    const int sender = state.envelope.sender_id;
    if (parts_.rejections->MaySpeakFor(sender, frame.identity)) {
      parts_.rejections->Refuse(RefusalReason::kWrongDelivery, sender, [&] {
        return absl::StrCat("server ", sender,
                            " has \"delivery\": "
                            "\"best_effort\", server ",
                            parts_.self_id, " \"reliable\"",
                            FromText(frame.source));
      });
    }
    return FrameVerdict::kMalformed;
  }
  parts_.rejections->Refuse(RefusalReason::kMalformed, PeerEvent::kNobody, [&] {
    return absl::StrCat(bytes.size(),
                        " bytes that are no frame of this library: ",
                        Explanation(error), FromText(frame.source));
  });
  return FrameVerdict::kMalformed;
}

FrameVerdict ReliableDelivery::RefuseSender(const FrameHeader& header,
                                            absl::string_view body,
                                            const ReceivedFrame& frame) {
  const int sender = static_cast<int>(header.sender_id);
  const auto destination = header.destination_id;
  const auto refuse = [&](RefusalReason reason, absl::string_view text) {
    parts_.rejections->Refuse(reason, PeerEvent::kNobody, [&] {
      return absl::StrCat("server ", sender, text, FromText(frame.source));
    });
  };
  Hello hello;
  if (sender == parts_.self_id) {
    refuse(RefusalReason::kUnknownSender,
           absl::StrCat(" is this server: either its address of server ",
                        destination,
                        " leads back here, or another process has its id"));
  } else if (destination != static_cast<std::uint32_t>(parts_.self_id)) {
    refuse(RefusalReason::kWrongDestination,
           absl::StrCat(", which is no member here, wants server ", destination,
                        ": its address of that server leads here"));
  } else if (header.kind != FrameKind::kHello || !DecodeHello(body, &hello)) {
    refuse(RefusalReason::kUnknownSender, ", which is no member here, sends");
  } else if (hello.cluster != session_.cluster) {
    refuse(
        RefusalReason::kWrongCluster,
        absl::StrCat(", which is no member here, is of ", Quoted(hello.cluster),
                     ", and this server of ", Quoted(session_.cluster)));
  } else {
    Stranger stranger{hello.address, "", frame.identity};
    if (frame.source != nullptr) stranger.source = frame.source->Text();
    parts_.rejections->Strange(sender, std::move(stranger), MonotonicNow());
  }
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
