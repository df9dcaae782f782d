#include "cluster/session/send_queue.h"

#include <algorithm>
#include <new>
#include <utility>

#include "cluster/base/check.h"
#include "cluster/codec/frame_header.h"
#include "cluster/session/large_record.h"

namespace cluster {
namespace {

// The share of the bound that the urgent and the normal lane each have to
// themselves.
constexpr std::size_t kLaneShare = 8;

// Records of more bytes than this, on average, are several cache lines each.
constexpr std::size_t kCopiedBytes = 256;

// What goes to the end of a lane takes at most so many places: its own and that
// of the open batch before it.
constexpr std::size_t kPlacesMax = 2;

// What of a small batch a peer with these limits takes; the rest is counted.
Batch OnlyFit(const LinkConfig& config, const Batch& batch,
              std::size_t payload_bytes_max, std::uint64_t features,
              Unfit* unfit) {
  Batch rest = NewBatch(config.buffers.get(), batch.lane, batch.capacity);
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
  rest.body_crc = Crc32c(rest.body());
  return rest;
}

}  // namespace

SendQueue::SendQueue(const LinkConfig& config)
    : config_(config),
      chunk_bytes_(ChunkBytes(config.frame_bytes, config.inflight_bytes)),
      batch_bytes_(BatchBytes(config)),
      lanes_{LaneQueue(config, Lane::kUrgent), LaneQueue(config, Lane::kNormal),
             LaneQueue(config, Lane::kBulk)} {}

bool SendQueue::Fits(Lane lane, std::size_t record_bytes) const {
  if (HasRoomFor(record_bytes)) return true;
  return lane != Lane::kBulk &&
         At(lane).bytes + record_bytes <= config_.queue_bytes_max / kLaneShare;
}

void SendQueue::Accept(std::uint64_t envelopes, std::size_t bytes,
                       LaneQueue* queue) {
  queue->accepted += envelopes;
  Count(envelopes, bytes, queue);
}

void SendQueue::Count(std::uint64_t envelopes, std::size_t bytes,
                      LaneQueue* queue) {
  envelopes_ += envelopes;
  bytes_ += bytes;
  queue->bytes += bytes;
}

AppendResult SendQueue::Append(const EnvelopeView& envelope) {
  if (envelope.payload.size() > config_.payload_bytes_max)
    return AppendResult::kTooLarge;
  const std::size_t record_bytes_max = config_.codec->RecordBytesMax(envelope);
  const bool fits = Fits(envelope.lane, record_bytes_max);
  if (!fits && !MayMakeRoom(envelope.lane, record_bytes_max))
    return AppendResult::kFull;
  if (record_bytes_max > chunk_bytes_)
    return AppendEncoded(EncodeLarge(config_, envelope));
  LaneQueue& queue = At(envelope.lane);
  if (!queue.open.Fits(record_bytes_max)) Close(&queue);
  if (!fits) {
    queue.open.Reserve(record_bytes_max);
    MakeRoom(envelope.lane, record_bytes_max);
  }
  Accept(1, queue.open.Append(envelope, record_bytes_max), &queue);
  if (queue.open.full()) CloseFull(&queue);
  return AppendResult::kAccepted;
}

void SendQueue::Close(LaneQueue* queue) {
  if (queue->open.empty()) return;
  queue->closed.Reserve(1);
  queue->closed.PushBack(CloseOpen(queue));
}

// Without memory for its place it stays open, and whatever comes next has to
// find the memory first.
void SendQueue::CloseFull(LaneQueue* queue) {
  try {
    Close(queue);
  } catch (const std::bad_alloc&) {
  }
}

Batch SendQueue::CloseOpen(LaneQueue* queue) {
  const std::uint64_t first_ordinal = OpenOrdinal(*queue);
  Batch batch = queue->open.Close();
  batch.first_ordinal = first_ordinal;
  return batch;
}

AppendResult SendQueue::AppendEncoded(Batch batch) {
  const bool fits = Fits(batch.lane, batch.body_bytes);
  if (!fits && !MayMakeRoom(batch.lane, batch.body_bytes))
    return AppendResult::kFull;
  At(batch.lane).closed.Reserve(kPlacesMax);
  if (!fits) MakeRoom(batch.lane, batch.body_bytes);
  PushClosed(std::move(batch));
  return AppendResult::kAccepted;
}

void SendQueue::PushClosed(Batch batch) {
  LaneQueue& queue = At(batch.lane);
  queue.closed.Reserve(kPlacesMax);
  Close(&queue);
  batch.first_ordinal = queue.accepted + 1;
  Accept(batch.records, batch.body_bytes, &queue);
  queue.closed.PushBack(std::move(batch));
}

// A few records in a buffer of their own would be a frame of their own too:
// they are copied.
void SendQueue::AppendShared(const Batch& batch, const EncodeState& encode) {
  if (!IsSmall(batch)) return PushClosed(batch);
  LaneQueue& queue = At(batch.lane);
  if (!queue.open.Fits(batch.body_bytes)) Close(&queue);
  queue.open.AppendCopy(batch, encode);
  Accept(batch.records, batch.body_bytes, &queue);
}

void SendQueue::ReserveStaged(Lane lane) {
  At(lane).closed.Reserve(kPlacesMax);
}

// Many small records are copied: where they are staged is written a record at a
// time, and should stay with the processor that does. In a buffer that another
// processor has read from since, each record would wait for its cache line,
// which took half of a sender's time where processors share no cache. Without
// memory for a copy the records go as they are.
void SendQueue::AppendStaged(OpenBatch* staged) {
  const Batch& batch = staged->batch();
  LaneQueue& queue = At(batch.lane);
  const bool copied =
      !IsSmall(batch) && batch.body_bytes < kCopiedBytes * batch.records;
  if (copied || staged->full()) {
    PushClosed(copied ? CloseStaged(staged) : staged->Close());
    return;
  }
  const bool joins = !queue.open.empty() && IsSmall(batch) &&
                     queue.open.Fits(batch.body_bytes);
  if (joins && JoinOpen(staged, &queue)) return;
  Close(&queue);
  Accept(batch.records, batch.body_bytes, &queue);
  queue.open.TakeFrom(staged);
}

// False: there is no memory, and nothing was done.
bool SendQueue::JoinOpen(OpenBatch* staged, LaneQueue* queue) {
  try {
    queue->open.AppendCopy(staged->batch(), staged->encode());
  } catch (const std::bad_alloc&) {
    return false;
  }
  Accept(staged->batch().records, staged->batch().body_bytes, queue);
  staged->Clear();
  return true;
}

Batch SendQueue::CloseStaged(OpenBatch* staged) {
  try {
    return staged->CloseCopy();
  } catch (const std::bad_alloc&) {
    return staged->Close();
  }
}

// Whether dropping would be enough.
bool SendQueue::MayMakeRoom(Lane lane, std::size_t bytes) const {
  if (envelopes_ == 0) return true;
  if (config_.overflow == Overflow::kReject) return false;
  const std::size_t kept = bytes_ - DroppableFor(lane);
  return kept == 0 || kept + bytes <= config_.queue_bytes_max;
}

void SendQueue::MakeRoom(Lane newcomer, std::size_t bytes) {
  while (envelopes_ > 0 && !HasRoomFor(bytes)) DropOldestFor(newcomer);
}

bool SendQueue::DropOldest(Lane newcomer, std::size_t bytes) {
  if (DroppableFor(newcomer) < bytes) return false;
  const std::size_t before = bytes_;
  while (before - bytes_ < bytes) DropOldestFor(newcomer);
  return true;
}

std::size_t SendQueue::DroppableFor(Lane newcomer) const {
  std::size_t bytes = 0;
  for (Lane lane : kLanesByUrgency) {
    if (MayDropFor(newcomer, lane)) bytes += At(lane).bytes;
  }
  return bytes;
}

// A record that is cut in part has been transmitted in part: it stays, and so
// does its lane.
bool SendQueue::MayDropFor(Lane newcomer, Lane lane) const {
  return lane >= newcomer && !Empty(lane) && Front(lane).cut_bytes == 0;
}

void SendQueue::DropOldestFor(Lane newcomer) {
  for (Lane lane : {Lane::kBulk, Lane::kNormal, Lane::kUrgent}) {
    if (!MayDropFor(newcomer, lane)) continue;
    overflowed_ += Front(lane).records;
    DropFront(lane);
    return;
  }
}

void SendQueue::Discount(const Batch& batch, LaneQueue* queue) {
  envelopes_ -= batch.records;
  bytes_ -= batch.body_bytes;
  queue->bytes -= batch.body_bytes;
}

Batch SendQueue::PopFront(LaneQueue* queue) {
  Batch batch =
      queue->closed.empty() ? CloseOpen(queue) : queue->closed.PopFront();
  Discount(batch, queue);
  return batch;
}

Batch SendQueue::Take(Lane lane) {
  CLUSTER_CHECK(!Empty(lane) && !Front(lane).large, "no small batch in front");
  const Batch& front = Front(lane);
  if (front.shared || IsCompact(front)) return PopFront(&At(lane));
  Batch compact = WithCapacity(config_.buffers.get(), front, front.body_bytes);
  const Batch taken = PopFront(&At(lane));
  compact.body_crc = taken.body_crc;
  compact.features = taken.features;
  compact.first_ordinal = taken.first_ordinal;
  return compact;
}

void SendQueue::CutFront(Lane lane, std::size_t bytes) {
  Batch& front = At(lane).closed.front();
  CLUSTER_CHECK(front.large && front.cut_bytes + bytes <= front.body_bytes,
                "cut beyond the end");
  front.cut_bytes += bytes;
  front.headed_bytes = std::max(front.headed_bytes, front.cut_bytes);
  if (front.cut_bytes == front.body_bytes) DropFront(lane);
}

// An open batch keeps its buffer, which the newcomer may count on.
void SendQueue::DropFront(Lane lane) {
  LaneQueue& queue = At(lane);
  Discount(Front(lane), &queue);
  if (queue.closed.empty()) {
    queue.open.Empty();
  } else {
    queue.closed.DropFront();
  }
}

Unfit SendQueue::DropUnfit(Lane lane, std::size_t payload_bytes_max,
                           std::uint64_t features) {
  Unfit unfit;
  const Batch& front = Front(lane);
  const std::uint64_t needed =
      HasFull(lane) ? front.features : At(lane).open.features();
  const bool unsupported = (needed & ~features) != 0;
  if (!unsupported && front.payload_bytes_longest <= payload_bytes_max)
    return unfit;
  if (front.large) {
    (unsupported ? unfit.unsupported : unfit.too_large) = front.records;
    DropFront(lane);
    return unfit;
  }
  LaneQueue& queue = At(lane);
  if (!HasFull(lane)) Close(&queue);
  Batch& first = queue.closed.front();
  Batch rest = OnlyFit(config_, first, payload_bytes_max, features, &unfit);
  Discount(first, &queue);
  Count(rest.records, rest.body_bytes, &queue);
  first = std::move(rest);
  if (first.records == 0) queue.closed.DropFront();
  return unfit;
}

void SendQueue::PutFront(Batch batch) {
  LaneQueue& queue = At(batch.lane);
  Count(batch.records, batch.body_bytes, &queue);
  batch.cut_bytes = 0;
  if (batch.large) batch.headed_bytes = batch.body_bytes;
  queue.closed.PushFront(std::move(batch));
}

void SendQueue::RestartFront(Lane lane) {
  LaneQueue& queue = At(lane);
  if (!queue.closed.empty()) queue.closed.front().cut_bytes = 0;
}

void SendQueue::Clear() {
  for (LaneQueue& queue : lanes_) {
    queue.closed.Clear();
    queue.open.Clear();
    queue.bytes = 0;
  }
  bytes_ = 0;
  envelopes_ = 0;
}

}  // namespace cluster
