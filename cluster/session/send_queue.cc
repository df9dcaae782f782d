#include "cluster/session/send_queue.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <numeric>
#include <utility>

#include "cluster/base/check.h"
#include "cluster/codec/frame_header.h"

namespace cluster::internal {
namespace {

constexpr int kNobody = -1;

// The share of the bound that the urgent and the normal lane each have to
// themselves.
constexpr std::size_t kLaneShare = 8;

// Records of more bytes than this, on average, are several cache lines each.
constexpr std::size_t kCopiedBytes = 256;

// A batch at the end of a lane takes at most so many places: its own and that of
// the open batch before it.
constexpr std::size_t kPlacesMax = 2;

// How many envelopes a peer would not take, by the reason.
struct Unfit {
  std::uint64_t too_large = 0;
  std::uint64_t unsupported = 0;
};

// The part of a small batch that a peer with these limits takes; the rest is
// counted.
Batch OnlyFit(const SessionConfig& config, const Batch& batch,
              std::size_t payload_bytes_max, std::uint64_t features,
              Unfit* unfit) {
  Batch rest = NewBatch(config.buffers.get(), batch.lane, batch.capacity);
  rest.joins = batch.joins;
  absl::string_view body = batch.body();
  DecodeState decode;
  EncodeState encode;
  const EnvelopeView& envelope = decode.envelope;
  for (std::uint64_t ordinal = batch.first_ordinal; !body.empty(); ++ordinal) {
    const absl::Status own = config.codec->NextRecord(&body, &decode);
    CLUSTER_CHECK(own.ok(), "a record of our own does not decode");
    const std::size_t bytes = envelope.payload.size();
    const std::uint64_t needed = FeaturesOf(envelope);
    if ((needed & ~features) != 0) {
      ++unfit->unsupported;
      continue;
    }
    if (bytes > payload_bytes_max) {
      ++unfit->too_large;
      continue;
    }
    if (rest.records == 0) rest.first_ordinal = ordinal;
    const std::size_t room = config.codec->RecordBytesMax(envelope);
    if (rest.room() < room) {
      rest = WithCapacity(config.buffers.get(), rest, rest.body_bytes + room);
    }
    char* const end =
        config.codec->AppendRecord(envelope, &encode, rest.body_end());
    rest.body_bytes = static_cast<std::size_t>(end - rest.body_begin());
    rest.payload_bytes_longest = std::max(rest.payload_bytes_longest, bytes);
    rest.features |= needed;
    ++rest.records;
  }
  Sum(&rest);
  return rest;
}

bool IsAnswer(const EnvelopeView& envelope) {
  return (envelope.correlation & kAnswerBit) != 0;
}

bool IsSmall(const Batch& batch, std::size_t batch_bytes) {
  return batch.body_bytes < batch_bytes / 2;
}

// Many small records. They leave in a copy, and their buffer takes the next ones.
// So it stays in the cache of the processor that writes it a record at a time. In
// a buffer that another processor has read since, each record would wait for its
// cache line. Where processors share no cache, that took half of a sender's time.
bool IsCopied(const Batch& batch, std::size_t batch_bytes) {
  return !IsSmall(batch, batch_bytes) &&
         batch.body_bytes < kCopiedBytes * batch.records;
}

}  // namespace

Batch SendQueue::LaneQueue::TakeAt(std::size_t index) {
  Batch& place = closed[index];
  Discount(place);
  Batch taken = std::move(place);
  place = Batch();
  place.lane = taken.lane;
  place.first_ordinal = taken.first_ordinal;
  ++gone;
  return taken;
}

void SendQueue::LaneQueue::RestoreAt(std::size_t index, Batch batch) {
  --gone;
  Count(batch);
  closed[index] = std::move(batch);
}

SendQueue::SendQueue(const SessionConfig& config)
    : config_(config),
      lone_bytes_(LoneBytes(config.frame_bytes)),
      chunk_bytes_(ChunkBytes(config.frame_bytes, config.inflight_bytes)),
      batch_bytes_(BatchBytes(config)),
      peer_(kNobody),
      payload_bytes_max_(config.payload_bytes_max),
      queue_bytes_max_(config.queue_bytes_max),
      answer_bytes_reserved_(config.answer_bytes_reserved),
      overflow_(config.overflow),
      lanes_{LaneQueue(config, Lane::kUrgent), LaneQueue(config, Lane::kNormal),
             LaneQueue(config, Lane::kBulk)} {}

bool SendQueue::HasRoom(Lane lane, std::size_t bytes, bool answer) const {
  const std::size_t queued = Bytes();
  const std::size_t most =
      queue_bytes_max_ + (answer ? answer_bytes_reserved_ : 0);
  if (queued + bytes <= most || queued == 0) return true;
  return lane != Lane::kBulk &&
         At(lane).bytes() + bytes <= queue_bytes_max_ / kLaneShare;
}

SendOutcome SendQueue::Check(int peer, const EnvelopeView& envelope) const {
  if (peer != peer_) return SendOutcome::kRemoved;
  return envelope.payload.size() <= payload_bytes_max_ ? SendOutcome::kAccepted
                                                       : SendOutcome::kTooLarge;
}

SendOutcome SendQueue::Room(Lane lane, std::size_t bytes, std::size_t headers,
                            bool answer) {
  unchecked_bytes_ = 0;
  if (!HasRoom(lane, bytes, answer)) return SendOutcome::kFull;
  return share_->FitsOrReserve(lane, Held(), bytes + headers)
             ? SendOutcome::kAccepted
             : SendOutcome::kNoMemory;
}

// Of a batch that joins its neighbours, and for which the open one is closed.
std::size_t SendQueue::JoiningCharge(Lane lane, std::size_t bytes) const {
  const Batch& open = At(lane).open.batch();
  const std::size_t closing =
      open.records > 0 ? FrameCharge(open.capacity) - open.body_bytes : 0;
  return FrameCharge(bytes) + closing;
}

SendOutcome SendQueue::MayAppend(int peer, const EnvelopeView& envelope,
                                 bool with_options) {
  const MutexLock lock(&mutex_, MutexLock::kYield);
  const SendOutcome checked = Check(peer, envelope);
  if (checked != SendOutcome::kAccepted) return checked;
  const std::size_t bytes = config_.codec->RecordBytesMax(envelope);
  return Room(envelope.lane,
              with_options ? JoiningCharge(envelope.lane, bytes) : bytes, 0,
              IsAnswer(envelope));
}

SendOutcome SendQueue::Refuse(SendOutcome outcome) {
  if (outcome == SendOutcome::kNoMemory) ++memory_refused_;
  return outcome;
}

// Where the bounds are to be looked at.
Appended SendQueue::AppendChecked(int peer, const EnvelopeView& envelope) {
  const std::size_t bytes_max = config_.codec->RecordBytesMax(envelope);
  if (envelope.payload.size() > lone_bytes_ || bytes_max > chunk_bytes_)
    return AppendLarge(peer, envelope, nullptr, nullptr, {});
  const MutexLock lock(&mutex_, MutexLock::kYield);
  const SendOutcome checked = Check(peer, envelope);
  if (checked != SendOutcome::kAccepted) return {checked};
  DropExpired();
  const SendOutcome room =
      Room(envelope.lane, bytes_max, 0, IsAnswer(envelope));
  const bool drops = room != SendOutcome::kAccepted;
  if (drops && overflow_ == Overflow::kReject)
    return {Refuse(room), SayDrops()};
  LaneQueue& queue = At(envelope.lane);
  if (!queue.open.Fits(bytes_max)) CloseOpen(&queue);
  if (drops) {
    queue.open.Reserve(bytes_max);
    const SendOutcome made = MakeRoom(envelope.lane, bytes_max, 0);
    if (made != SendOutcome::kAccepted) return {Refuse(made), SayDrops()};
  } else {
    unchecked_bytes_ =
        std::min(queue_bytes_max_ - std::min(Bytes(), queue_bytes_max_),
                 share_->Free(Held()));
  }
  const bool wakes = AppendOpen(envelope, bytes_max, &queue);
  return {SendOutcome::kAccepted, SayDrops() || wakes};
}

Appended SendQueue::AppendLarge(int peer, const EnvelopeView& envelope,
                                absl::optional<Batch>* encoded) {
  return AppendLarge(peer, envelope, encoded, nullptr, {});
}

Appended SendQueue::AppendWith(int peer, const EnvelopeView& envelope,
                               const RecordOptions& options) {
  return AppendLarge(peer, envelope, nullptr, &options, {});
}

Appended SendQueue::AppendFrom(int peer, const EnvelopeView& envelope,
                               const RecordOptions* options,
                               const PayloadSource& payload) {
  return AppendLarge(peer, envelope, nullptr, options, payload);
}

Batch SendQueue::Encode(const EnvelopeView& envelope,
                        absl::optional<Batch>* encoded,
                        const RecordOptions* options,
                        const PayloadSource& payload) const {
  if (encoded != nullptr) {
    if (!*encoded) *encoded = EncodeLarge(config_, envelope, /*shared=*/true);
    return **encoded;
  }
  std::shared_ptr<const RecordOptions> kept_options;
  if (options != nullptr)
    kept_options = std::make_shared<const RecordOptions>(*options);
  Batch batch = EncodeLarge(config_, envelope, /*shared=*/false, payload);
  batch.options = std::move(kept_options);
  batch.joins = (options != nullptr || !payload.pieces.empty()) &&
                !batch.large && batch.outside == nullptr &&
                IsSmall(batch, batch_bytes());
  return batch;
}

namespace {

// A payload that was taken goes back to its envelope, unless that is accepted.
class Taking {
 public:
  Taking(Batch* batch, const PayloadSource& payload)
      : batch_(batch), payload_(payload) {}
  Taking(const Taking&) = delete;
  Taking& operator=(const Taking&) = delete;
  ~Taking() { GiveBack(batch_, payload_); }

 private:
  Batch* const batch_;
  const PayloadSource& payload_;
};

}  // namespace

// An older one that the batch replaces leaves its place first. It gets that back
// if there is no room even so.
Appended SendQueue::AppendLarge(int peer, const EnvelopeView& envelope,
                                absl::optional<Batch>* encoded,
                                const RecordOptions* options,
                                const PayloadSource& payload) {
  const Appended may = MayAppendLarge(peer, envelope, options);
  if (may.outcome != SendOutcome::kAccepted) return may;
  Batch batch = Encode(envelope, encoded, options, payload);
  const Taking taking(&batch, payload);
  const MutexLock lock(&mutex_, MutexLock::kYield);
  const SendOutcome checked = Check(peer, envelope);
  if (checked != SendOutcome::kAccepted) return {checked, SayDrops()};
  LaneQueue& queue = At(batch.lane);
  queue.closed.Reserve(kPlacesMax);
  std::uint64_t* latest = nullptr;
  if (options != nullptr && options->replaces != 0)
    latest = &latest_.emplace(KeyOf(batch), 0).first->second;
  const std::size_t place =
      latest == nullptr || *latest == 0 ? kNowhere : PlaceOf(queue, *latest);
  absl::optional<Batch> older;
  if (place != kNowhere) older = queue.TakeAt(place);
  const SendOutcome room = RoomFor(batch, IsAnswer(envelope));
  if (room != SendOutcome::kAccepted) {
    if (older) queue.RestoreAt(place, *std::move(older));
    if (latest != nullptr && *latest == 0) latest_.erase(KeyOf(batch));
    return {Refuse(room), SayDrops()};
  }
  if (older) {
    Drop(DropReason::kSuperseded, 1);
    TellFates(*older, DropReason::kSuperseded);
  }
  if (options != nullptr) NoteExpiry(batch);
  PushClosed(std::move(batch), &queue);
  if (latest != nullptr) *latest = queue.accepted;
  Tidy(&queue);
  const bool wakes = Wakes(&queue);
  return {SendOutcome::kAccepted, SayDrops() || wakes};
}

// For a batch at the end of its lane. Makes it if it may.
SendOutcome SendQueue::RoomFor(const Batch& batch, bool answer) {
  const std::size_t headers =
      batch.large ? batch.body_bytes / batch.chunk_bytes * kFrameChargeBytes
                  : 0;
  const std::size_t bytes = batch.joins
                                ? JoiningCharge(batch.lane, batch.capacity)
                                : batch.body_bytes;
  const SendOutcome room = Room(batch.lane, bytes, headers, answer);
  return room != SendOutcome::kAccepted && overflow_ == Overflow::kDropOldest
             ? MakeRoom(batch.lane, bytes, headers)
             : room;
}

// Whether it is worth encoding. One that replaces another may need no room.
Appended SendQueue::MayAppendLarge(int peer, const EnvelopeView& envelope,
                                   const RecordOptions* options) {
  const MutexLock lock(&mutex_, MutexLock::kYield);
  const SendOutcome checked = Check(peer, envelope);
  if (checked != SendOutcome::kAccepted) return {checked};
  DropExpired();
  if (overflow_ == Overflow::kDropOldest ||
      (options != nullptr && options->replaces != 0))
    return {SendOutcome::kAccepted};
  const SendOutcome room =
      Room(envelope.lane, config_.codec->RecordBytesMax(envelope), 0,
           IsAnswer(envelope));
  return {Refuse(room), room != SendOutcome::kAccepted && SayDrops()};
}

bool SendQueue::Withdraw(int peer, Lane lane, std::uint64_t group,
                         std::uint64_t replaces) {
  const MutexLock lock(&mutex_, MutexLock::kYield);
  if (peer != peer_) return false;
  const auto latest = latest_.find({lane, group, replaces});
  if (latest == latest_.end()) return false;
  LaneQueue& queue = At(lane);
  const std::size_t place = PlaceOf(queue, latest->second);
  // An earlier life of the peer may have it.
  if (queue.closed[place].resent) return false;
  DropAt(&queue, place, DropReason::kWithdrawn);
  Tidy(&queue);
  return SayDrops();
}

// A few records in a buffer of their own would be a frame of their own too:
// they are copied.
bool SendQueue::AppendShared(const Batch& batch, const EncodeState& encode) {
  const MutexLock lock(&mutex_, MutexLock::kYield);
  if (peer_ == kNobody) return false;
  LaneQueue& queue = At(batch.lane);
  unchecked_bytes_ = 0;
  if (IsSmall(batch, batch_bytes())) {
    if (!queue.open.Fits(batch.body_bytes)) CloseOpen(&queue);
    const bool first = queue.open.empty();
    queue.open.AppendCopy(batch, encode);
    return WakesForOpen(first, &queue);
  }
  PushClosed(batch, &queue);
  return Wakes(&queue);
}

bool SendQueue::Gathers(std::size_t bytes) {
  const MutexLock lock(&mutex_, MutexLock::kYield);
  if (peer_ == kNobody) return true;
  const LaneQueue& queue = At(kGatheringLane);
  if (queue.want == Want::kAny ||
      (queue.want == Want::kNothing && queue.empty()))
    return false;
  // An oversized payload must fail in the Send that made it.
  if (payload_bytes_max_ < GatheredBytesMax(config_)) return false;
  return Bytes() + bytes <= queue_bytes_max_ && share_->MayGather() &&
         share_->FitsOrReserve(kGatheringLane, Held(), bytes);
}

// Whether the session waits for what the lane has now. Says so once.
bool SendQueue::Wakes(LaneQueue* queue) {
  if (queue->woken || (queue->want == Want::kFull && !HasFull(*queue)))
    return false;
  queue->woken = true;
  return true;
}

// Batches that join their neighbours are full once they hold a frame's bytes.
bool SendQueue::HasFull(const LaneQueue& queue) const {
  return queue.open.full() ||
         queue.closed.size() > queue.joining + queue.gone ||
         (queue.joining > 0 && queue.bytes() >= batch_bytes());
}

void SendQueue::PushClosed(Batch batch, LaneQueue* queue) {
  queue->closed.Reserve(kPlacesMax);
  CloseOpen(queue, batch.joins);
  batch.since_ns = now_ns();
  queue->PushBack(std::move(batch));
}

void SendQueue::CloseOpen(LaneQueue* queue, bool joins) {
  if (queue->open.empty()) return;
  queue->closed.Reserve(1);
  Batch batch = queue->open.Release(std::exchange(spare_, Batch()));
  batch.joins = joins;
  batch.since_ns = queue->open_since_ns;
  queue->PushBack(std::move(batch));
}

void SendQueue::NoteExpiry(const Batch& batch) {
  const std::int64_t at = batch.options->expires_at == absl::InfiniteFuture()
                              ? kNever
                              : absl::ToUnixNanos(batch.options->expires_at);
  if (at < expires_ns()) expires_ns_.store(at, std::memory_order_relaxed);
}

// One that is cut in part has been transmitted in part.
void SendQueue::DropExpiredNow() {
  const absl::Time now = config_.clock();
  if (absl::ToUnixNanos(now) < expires_ns()) return;
  expires_ns_.store(kNever, std::memory_order_relaxed);
  for (LaneQueue& queue : lanes_) {
    for (std::size_t i = 0; i < queue.closed.size(); ++i) {
      const Batch& batch = queue.closed[i];
      if (batch.options == nullptr || batch.cut_bytes > 0) continue;
      if (batch.options->expires_at <= now) {
        DropAt(&queue, i, DropReason::kExpired);
      } else {
        NoteExpiry(batch);
      }
    }
    Tidy(&queue);
  }
}

// Tidy follows.
void SendQueue::DropAt(LaneQueue* queue, std::size_t index, DropReason reason) {
  Drop(reason, 1);
  TellFates(queue->closed[index], reason);
  Forget(queue->closed[index]);
  queue->TakeAt(index);
  unchecked_bytes_ = 0;
}

// The first place holds a batch, and at most half of the places are empty.
void SendQueue::Tidy(LaneQueue* queue) {
  queue->DropGone();
  if (2 * queue->gone <= queue->closed.size()) return;
  for (std::size_t places = queue->closed.size(); places > 0; --places) {
    Batch batch = queue->closed.PopFront();
    if (batch.records > 0) queue->closed.PushBack(std::move(batch));
  }
  queue->gone = 0;
}

// It leaves the queue, or begins to.
void SendQueue::Forget(const Batch& batch) {
  if (batch.options == nullptr || batch.options->replaces == 0) return;
  const auto latest = latest_.find(KeyOf(batch));
  if (latest != latest_.end() && latest->second == batch.first_ordinal)
    latest_.erase(latest);
}

// Ordinals grow from place to place.
std::size_t SendQueue::PlaceOf(const LaneQueue& queue, std::uint64_t ordinal) {
  std::size_t first = 0;
  for (std::size_t count = queue.closed.size(); count > 0;) {
    const std::size_t half = count / 2;
    const bool before = queue.closed[first + half].first_ordinal < ordinal;
    first += before ? half + 1 : 0;
    count = before ? count - half - 1 : half;
  }
  return first;
}

// Drops what waited longest, if that makes enough room; else nothing.
SendOutcome SendQueue::MakeRoom(Lane newcomer, std::size_t bytes,
                                std::size_t headers) {
  const std::size_t before = Bytes();
  const std::size_t droppable = DroppableFor(newcomer);
  const std::size_t kept = before - droppable;
  const bool full = !HasRoom(newcomer, bytes);
  if (full && kept > 0 && kept + bytes > queue_bytes_max_)
    return SendOutcome::kFull;
  const std::size_t lacking =
      share_->FitsOrReserve(newcomer, Held(), bytes + headers)
          ? 0
          : share_->Lacking(newcomer, Held(), bytes + headers);
  if (lacking > droppable) return SendOutcome::kNoMemory;
  while (before - Bytes() < lacking ||
         (full && Bytes() > 0 && Bytes() + bytes > queue_bytes_max_)) {
    DropOldestFor(newcomer);
  }
  return SendOutcome::kAccepted;
}

std::size_t SendQueue::DroppableFor(Lane newcomer) const {
  std::size_t bytes = 0;
  for (Lane lane : kLanesByUrgency) {
    if (MayDropFor(newcomer, lane)) bytes += At(lane).bytes();
  }
  return bytes;
}

// A record that is cut in part has been transmitted in part: it stays, and so
// does its lane.
bool SendQueue::MayDropFor(Lane newcomer, Lane lane) const {
  return lane >= newcomer && !At(lane).empty() &&
         At(lane).front().cut_bytes == 0;
}

void SendQueue::DropOldestFor(Lane newcomer) {
  for (Lane lane : {Lane::kBulk, Lane::kNormal, Lane::kUrgent}) {
    if (!MayDropFor(newcomer, lane)) continue;
    Drop(DropReason::kOverflow, At(lane).front().records);
    TellFates(At(lane).front(), DropReason::kOverflow);
    DropFront(&At(lane));
    return;
  }
}

// An open batch keeps its buffer, which the newcomer may count on.
void SendQueue::DropFront(LaneQueue* queue) {
  if (queue->closed.empty()) {
    queue->accepted += queue->open.batch().records;
    queue->open.Empty();
  } else {
    Forget(queue->front());
    queue->Discount(queue->front());
    if (queue->front().records == 0) --queue->gone;
    queue->closed.DropFront();
    queue->DropGone();
  }
}

void SendQueue::Open(int peer, MemoryShare* share) {
  MutexLock lock(&mutex_);
  peer_ = peer;
  share_ = share;
  LimitPayloads(config_.payload_bytes_max);
  accepted_before_ = Accepted();
  memory_refused_ = 0;
  dropped_.fill(0);
}

void SendQueue::TakeNoMore() {
  MutexLock lock(&mutex_);
  peer_ = kNobody;
}

void SendQueue::Close(DropReason reason) {
  MutexLock lock(&mutex_);
  for (LaneQueue& queue : lanes_) {
    Drop(reason, queue.envelopes());
    for (std::size_t i = 0; i < queue.closed.size(); ++i)
      TellFates(queue.closed[i], reason);
    queue.accepted += queue.open.batch().records;
    queue.open.Clear();
    queue.closed.Clear();
    queue.closed_bytes = queue.closed_records = 0;
    queue.joining = queue.gone = 0;
    queue.want = Want::kNothing;
    queue.woken = true;
  }
  latest_.clear();
  expires_ns_.store(kNever, std::memory_order_relaxed);
  unsaid_drops_ = false;
  transmitted_bytes_ = unchecked_bytes_ = 0;
  if (share_ != nullptr) share_->Trim(0);
  spare_ = Batch();
  share_ = nullptr;
  peer_ = kNobody;
}

void SendQueue::SetLimits(const SessionLimits& limits) {
  MutexLock lock(&mutex_);
  queue_bytes_max_ = limits.queue_bytes_max;
  answer_bytes_reserved_ = limits.answer_bytes_reserved;
  overflow_ = limits.overflow;
  unchecked_bytes_ = 0;
  SessionLimits own = config_;
  CopyLiveLimits(limits, &own);
  batch_bytes_.store(BatchBytes(own), std::memory_order_relaxed);
  for (LaneQueue& queue : lanes_) queue.open.SetBatchBytes(batch_bytes());
}

void SendQueue::SetPeerLimits(std::size_t payload_bytes_max,
                              std::uint64_t features) {
  MutexLock lock(&mutex_);
  LimitPayloads(std::min(config_.payload_bytes_max, payload_bytes_max));
  features_ = features;
}

void SendQueue::LimitPayloads(std::size_t bytes_max) {
  payload_bytes_max_ = bytes_max;
  small_bytes_max_ =
      static_cast<std::uint32_t>(std::min(bytes_max, lone_bytes_));
}

void SendQueue::WantNothing() {
  MutexLock lock(&mutex_);
  for (LaneQueue& queue : lanes_) {
    queue.want = Want::kNothing;
    queue.woken = true;
  }
}

void SendQueue::SetTransmitted(std::size_t bytes) {
  MutexLock lock(&mutex_);
  HoldTransmitted(bytes);
}

void SendQueue::HoldTransmitted(std::size_t bytes) {
  transmitted_bytes_ = bytes;
  unchecked_bytes_ = 0;
  DropExpired();
  unsaid_drops_ = false;  // the session's caller looks
  if (share_ != nullptr) share_->Trim(Held());
}

absl::optional<SendQueue::Taken> SendQueue::Take(std::size_t held_bytes,
                                                 WantOf want) {
  absl::optional<Taken> taken;
  {
    MutexLock lock(&mutex_);
    HoldTransmitted(held_bytes);
    if (recycled_.buffer != nullptr) spare_ = std::exchange(recycled_, Batch());
    LaneQueue* queue = Pick(want, nullptr);
    while (queue != nullptr && DropUnfit(queue)) queue = Pick(want, nullptr);
    if (queue == nullptr) return taken;
    taken.emplace();
    TakeFront(queue, &taken->sent);
    // A peer that is hardly busy needs none.
    if (!IsCopied(taken->sent.batch, batch_bytes())) spare_ = Batch();
    transmitted_bytes_ += taken->sent.held_bytes();
    taken->full_behind = HasFull(*queue);
    taken->more = Pick(want, &taken->sent) != nullptr;
    if (taken->more) WakeNobody();
  }
  Batch& batch = taken->sent.batch;
  if (!batch.large && !batch.summed) Finish(&batch);
  return taken;
}

// The lane that has what the session wants. Until there is one the appends say
// so that bring it. With more on its way than its share of the memory allows,
// nothing is to follow.
SendQueue::LaneQueue* SendQueue::Pick(WantOf want,
                                      const SendWindow::Sent* ahead) {
  if (share_ == nullptr) return nullptr;
  const bool memory =
      transmitted_bytes_ == 0 || share_->Fits(Lane::kUrgent, Held(), 0);
  for (LaneQueue& queue : lanes_) {
    const bool empty = queue.empty();
    queue.want = memory ? want(queue.open.batch().lane,
                               empty ? 0 : NextBodyBytes(queue), ahead)
                        : Want::kNothing;
    queue.woken = queue.want == Want::kNothing;
    const bool has = queue.want == Want::kFull ? HasFull(queue) : !empty;
    if (!queue.woken && has) return &queue;
  }
  return nullptr;
}

// The session comes again anyway.
void SendQueue::WakeNobody() {
  for (LaneQueue& queue : lanes_) queue.woken = true;
}

// Accepted before the peer's limits were known. A record that is cut in part is
// within them.
bool SendQueue::DropUnfit(LaneQueue* queue) {
  const Batch& front = queue->front();
  const std::uint64_t needed =
      queue->closed.empty() ? queue->open.features() : front.features;
  const bool unsupported = (needed & ~features_) != 0;
  if (ABSL_PREDICT_TRUE(!unsupported &&
                        front.payload_bytes_longest <= payload_bytes_max_))
    return false;
  if (front.large || front.outside != nullptr || front.options != nullptr) {
    const DropReason reason =
        unsupported ? DropReason::kUnsupported : DropReason::kTooLarge;
    Drop(reason, 1);
    TellFates(front, reason);
    DropFront(queue);
    return true;
  }
  if (queue->closed.empty()) CloseOpen(queue);
  Batch& first = queue->closed.front();
  Unfit unfit;
  Batch rest = OnlyFit(config_, first, payload_bytes_max_, features_, &unfit);
  Drop(DropReason::kTooLarge, unfit.too_large);
  Drop(DropReason::kUnsupported, unfit.unsupported);
  queue->Discount(first);
  if (rest.records == 0) {
    queue->closed.DropFront();
    queue->DropGone();
    return true;
  }
  queue->Count(rest);
  first = std::move(rest);
  return true;
}

SendQueue::Run SendQueue::FrontRun(const LaneQueue& queue) const {
  Run run;
  for (std::size_t i = 0; i < queue.closed.size(); ++i) {
    const Batch& batch = queue.closed[i];
    if (batch.records == 0) continue;
    const bool first = run.batches == 0;
    if (!first &&
        (!batch.joins || run.bytes + batch.body_bytes > batch_bytes() ||
         !Fits(batch.features, batch)))
      return run;
    ++run.batches;
    run.bytes += batch.body_bytes;
    if (!batch.joins) return run;
  }
  const Batch& open = queue.open.batch();
  run.with_open = !queue.open.empty() &&
                  run.bytes + open.body_bytes <= batch_bytes() &&
                  Fits(queue.open.features(), open);
  if (run.with_open) run.bytes += open.body_bytes;
  return run;
}

std::size_t SendQueue::NextBodyBytes(const LaneQueue& queue) const {
  const Batch& front = queue.front();
  if (front.large) return front.chunk_size(front.cut_bytes);
  return front.joins ? FrontRun(queue).bytes : front.body_bytes;
}

// One frame of several batches. The first record of each leans on none before it.
void SendQueue::TakeRun(const Run& run, LaneQueue* queue,
                        SendWindow::Sent* sent) {
  if (run.with_open) CloseOpen(queue, /*joins=*/true);
  const std::size_t batches = run.batches + (run.with_open ? 1 : 0);
  auto parts = std::make_shared<std::vector<Batch>>();
  parts->reserve(batches);
  Batch& joined = sent->batch;
  joined = NewBatch(config_.buffers.get(), queue->front().lane, run.bytes);
  joined.first_ordinal = queue->front().first_ordinal;
  joined.since_ns = queue->front().since_ns;
  while (parts->size() < batches) {
    Batch part = std::move(queue->closed.front());
    queue->Discount(part);
    Forget(part);
    std::memcpy(joined.body_end(), part.body_begin(), part.body_bytes);
    joined.body_bytes += part.body_bytes;
    joined.records += part.records;
    joined.features |= part.features;
    joined.payload_bytes_longest =
        std::max(joined.payload_bytes_longest, part.payload_bytes_longest);
    part.buffer.reset();
    parts->push_back(std::move(part));
    queue->closed.DropFront();
    queue->DropGone();
  }
  joined.parts = std::move(parts);
  sent->SetWhole();
}

// The steps that need memory come first.
void SendQueue::TakeFront(LaneQueue* queue, SendWindow::Sent* sent) {
  if (queue->closed.empty()) {
    sent->batch = queue->open.Release(std::exchange(spare_, Batch()));
    sent->batch.first_ordinal = queue->accepted + 1;
    sent->batch.since_ns = queue->open_since_ns;
    queue->accepted += sent->batch.records;
    return sent->SetWhole();
  }
  if (queue->front().joins) {
    const Run run = FrontRun(*queue);
    if (run.batches > 1 || run.with_open) return TakeRun(run, queue, sent);
  }
  Batch& front = queue->closed.front();
  // Another sending of it may be on its way, with its header.
  const bool headed = front.cut_bytes < front.headed_bytes ||
                      (front.outside != nullptr && !front.large &&
                       front.buffer.use_count() > 1);
  if (front.shared || headed)
    sent->other_header = config_.buffers->Lend(kFrameHeaderBytes);
  if (front.large) return TakeChunk(queue, sent);
  if (front.shared || front.outside != nullptr || !front.summed ||
      IsCompact(front)) {
    sent->batch = front;
  } else {
    sent->batch = WithCapacity(config_.buffers.get(), front, front.body_bytes);
  }
  DropFront(queue);
  sent->SetWhole();
}

void SendQueue::TakeChunk(LaneQueue* queue, SendWindow::Sent* sent) {
  Batch& front = queue->closed.front();
  sent->batch = front;
  sent->offset = front.cut_bytes;
  sent->body_bytes = front.chunk_size(front.cut_bytes);
  Forget(front);
  sent->envelopes = sent->last_chunk() ? 1 : 0;
  front.cut_bytes += sent->body_bytes;
  front.headed_bytes = std::max(front.headed_bytes, front.cut_bytes);
  if (sent->last_chunk()) DropFront(queue);
}

// The work that needs no mutex: the sum, and a copy if one is worth it. Without
// memory for that the batch goes as it is.
void SendQueue::Finish(Batch* batch) {
  Sum(batch);
  const bool copied = IsCopied(*batch, batch_bytes());
  if (!copied && IsCompact(*batch)) return;
  try {
    Batch copy = WithCapacity(config_.buffers.get(), *batch, batch->body_bytes);
    std::swap(copy, *batch);
    if (copied) recycled_ = std::move(copy);
  } catch (const std::bad_alloc&) {
  }
}

void SendQueue::Restart() {
  MutexLock lock(&mutex_);
  for (LaneQueue& queue : lanes_) {
    if (!queue.closed.empty()) queue.closed.front().cut_bytes = 0;
  }
}

// The chunks of one record share its buffer: it goes back once, and not at all
// if it is still there.
void SendQueue::PutBack(Batch batch, bool transmitted) {
  absl::optional<std::vector<Batch>> parts;
  if (batch.parts != nullptr) parts = Parts(batch);
  MutexLock lock(&mutex_);
  LaneQueue& queue = At(batch.lane);
  if (!queue.empty() && queue.front().buffer == batch.buffer) return;
  if (parts) {
    queue.closed.Reserve(parts->size());
    unchecked_bytes_ = 0;
    for (auto part = parts->rbegin(); part != parts->rend(); ++part) {
      part->resent = transmitted;
      queue.Count(*part);
      queue.closed.PushFront(std::move(*part));
    }
    return;
  }
  batch.resent = transmitted;
  batch.cut_bytes = 0;
  if (batch.large) batch.headed_bytes = batch.body_bytes;
  unchecked_bytes_ = 0;
  queue.Count(batch);
  queue.closed.PushFront(std::move(batch));
}

// The batches that this one was joined from. None without memory for them: then
// it goes whole, and no option counts any more.
absl::optional<std::vector<Batch>> SendQueue::Parts(const Batch& batch) const {
  try {
    std::vector<Batch> parts = *batch.parts;
    const char* from = batch.body_begin();
    for (Batch& part : parts) {
      Batch bytes =
          NewBatch(config_.buffers.get(), batch.lane, part.body_bytes);
      std::memcpy(bytes.body_begin(), from, part.body_bytes);
      from += part.body_bytes;
      part.buffer = std::move(bytes.buffer);
      part.capacity = part.body_bytes;
    }
    return parts;
  } catch (const std::bad_alloc&) {
    return absl::nullopt;
  }
}

// Without memory the rest can be replaced no more.
std::uint64_t SendQueue::Resume() {
  MutexLock lock(&mutex_);
  std::uint64_t superseded = 0;
  latest_.clear();
  try {
    for (LaneQueue& queue : lanes_) {
      for (std::size_t i = queue.closed.size(); i-- > 0;) {
        Batch& batch = queue.closed[i];
        if (batch.options == nullptr) continue;
        NoteExpiry(batch);
        if (batch.options->replaces == 0 ||
            latest_.emplace(KeyOf(batch), batch.first_ordinal).second)
          continue;
        superseded += batch.resent ? 1 : 0;
        DropAt(&queue, i, DropReason::kSuperseded);
      }
    }
  } catch (const std::bad_alloc&) {
  }
  for (LaneQueue& queue : lanes_) Tidy(&queue);
  return superseded;
}

SendMark SendQueue::Mark() const {
  MutexLock lock(&mutex_);
  SendMark mark{};
  for (Lane lane : kLanesByUrgency)
    mark[static_cast<std::size_t>(lane)] = At(lane).last_ordinal();
  return mark;
}

std::size_t SendQueue::Bytes() const {
  std::size_t bytes = 0;
  for (const LaneQueue& queue : lanes_) bytes += queue.bytes();
  return bytes;
}

std::uint64_t SendQueue::Accepted() const {
  std::uint64_t accepted = 0;
  for (const LaneQueue& queue : lanes_) accepted += queue.last_ordinal();
  return accepted;
}

bool SendQueue::Passed(const SendMark& mark) const {
  MutexLock lock(&mutex_);
  for (Lane lane : kLanesByUrgency) {
    if (At(lane).front_ordinal() <= mark[static_cast<std::size_t>(lane)])
      return false;
  }
  return true;
}

bool SendQueue::Empty() const {
  MutexLock lock(&mutex_);
  return Bytes() == 0;
}

std::size_t SendQueue::held_bytes() const {
  MutexLock lock(&mutex_);
  return Held();
}

std::uint64_t SendQueue::dropped() const {
  MutexLock lock(&mutex_);
  return std::accumulate(dropped_.begin(), dropped_.end(), std::uint64_t{0});
}

void SendQueue::AddTo(PeerStats* stats) const {
  MutexLock lock(&mutex_);
  stats->accepted += Accepted() - accepted_before_;
  stats->memory_refused += memory_refused_;
  for (const LaneQueue& queue : lanes_) {
    stats->queued += queue.envelopes();
    if (queue.empty()) continue;
    stats->lag = std::max(stats->lag, absl::Nanoseconds(std::max<std::int64_t>(
                                          now_ns() - queue.since_ns(), 0)));
  }
  stats->queued_bytes += Bytes();
  stats->held_bytes += Held();
  for (std::size_t i = 0; i < dropped_.size(); ++i)
    stats->dropped[i] += dropped_[i];
}

}  // namespace cluster::internal
