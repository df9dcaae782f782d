#include "cluster/link/send_queue.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "cluster/link/large_record.h"
#include "codec/frame_header.h"
#include "transport/check.h"

namespace cluster {
namespace {

// The share of the bound that the urgent and the normal lane each have to
// themselves.
constexpr std::size_t kLaneShare = 8;

constexpr std::size_t kCacheLineBytes = 64;

// What of a small batch has payloads within the bound.
Batch WithoutTooLarge(const LinkConfig& config, const Batch& batch,
                      std::size_t payload_bytes_max) {
  Batch rest = NewBatch(config.buffers.get(), batch.lane, batch.capacity);
  absl::string_view body = batch.body();
  DecodeState decode;
  EncodeState encode;
  EnvelopeView envelope;
  while (!body.empty()) {
    const absl::Status own =
        config.codec->NextRecord(&body, &decode, &envelope);
    CLUSTER_CHECK(own.ok(), "a record of our own does not decode");
    const std::size_t bytes = envelope.payload.size();
    if (bytes > payload_bytes_max) continue;
    const std::size_t room = config.codec->RecordBytesMax(envelope);
    if (rest.room() < room) {
      rest = WithCapacity(config.buffers.get(), rest, rest.body_bytes + room);
    }
    char* const end =
        config.codec->AppendRecord(envelope, &encode, rest.body_end());
    rest.body_bytes = static_cast<std::size_t>(end - rest.body_begin());
    rest.payload_bytes_longest = std::max(rest.payload_bytes_longest, bytes);
    ++rest.records;
  }
  rest.body_crc = Crc32c(rest.body());
  return rest;
}

}  // namespace

SendQueue::SendQueue(const LinkConfig& config)
    : config_(config),
      chunk_bytes_(ChunkBytes(config.frame_bytes, config.inflight_bytes)),
      batch_bytes_(BatchBytes(config)) {}

bool SendQueue::Fits(Lane lane, std::size_t record_bytes) const {
  if (HasRoomFor(record_bytes)) return true;
  return lane != Lane::kBulk &&
         At(lane).bytes + record_bytes <= config_.queue_bytes_max / kLaneShare;
}

void SendQueue::AddBytes(std::size_t bytes, LaneQueue* queue) {
  bytes_ += bytes;
  queue->bytes += bytes;
}

void SendQueue::TakeBytes(std::size_t bytes, LaneQueue* queue) {
  bytes_ -= bytes;
  queue->bytes -= bytes;
}

// The lane's open batch, with room for so many bytes more.
Batch& SendQueue::OpenFor(Lane lane, std::size_t bytes, LaneQueue* queue) {
  if (queue->open && queue->batches.back().body_bytes + bytes > batch_bytes_)
    Close(queue);
  if (!queue->open) Open(lane, bytes, queue);
  Batch& batch = queue->batches.back();
  if (batch.room() < bytes) Grow(&batch, bytes);
  return batch;
}

AppendResult SendQueue::Append(const EnvelopeView& envelope) {
  if (envelope.payload.size() > config_.payload_bytes_max)
    return AppendResult::kTooLarge;
  const std::size_t record_bytes_max = config_.codec->RecordBytesMax(envelope);
  if (!Fits(envelope.lane, record_bytes_max) && !MakeRoom(record_bytes_max)) {
    return AppendResult::kFull;
  }
  if (record_bytes_max > chunk_bytes_)
    return AppendEncoded(EncodeLarge(config_, envelope));
  LaneQueue& queue = At(envelope.lane);
  ++envelopes_;
  Batch& batch = OpenFor(envelope.lane, record_bytes_max, &queue);
  char* const begin = batch.body_end();
  const auto written = static_cast<std::size_t>(
      config_.codec->AppendRecord(envelope, &queue.encode, begin) - begin);
  batch.body_bytes += written;
  // A server with many peers writes here next when nothing near is cached any
  // more, and would give back its lock only after a miss: among 32 servers that
  // was a quarter of all CPU time.
  __builtin_prefetch(batch.body_end(), 1);
  __builtin_prefetch(batch.body_end() + kCacheLineBytes, 1);
  batch.payload_bytes_longest =
      std::max(batch.payload_bytes_longest, envelope.payload.size());
  ++batch.records;
  AddBytes(written, &queue);
  // No room for another like it: full now, not only when the next one comes.
  if (batch.body_bytes + record_bytes_max > batch_bytes_) Close(&queue);
  return AppendResult::kAccepted;
}

void SendQueue::Open(Lane lane, std::size_t record_bytes_max,
                     LaneQueue* queue) {
  queue->batches.PushBack(
      NewBatch(config_.buffers.get(), lane,
               std::max(queue->capacity_next, record_bytes_max)));
  queue->encode = EncodeState();
  queue->open = true;
}

// Summed here and not when it leaves: from behind a long queue it would have to
// come back into the cache for it.
void SendQueue::Close(LaneQueue* queue) {
  Batch& batch = queue->batches.back();
  batch.body_crc = Crc32c(batch.body());
  const std::size_t recent = batch.body_bytes;
  queue->capacity_next =
      std::min(std::max<std::size_t>(recent + recent / 4, 1024), batch_bytes_);
  queue->open = false;
}

void SendQueue::Grow(Batch* batch, std::size_t record_bytes_max) {
  const std::size_t wanted = batch->body_bytes + record_bytes_max;
  *batch = WithCapacity(
      config_.buffers.get(), *batch,
      std::max(wanted, std::min(4 * batch->capacity, batch_bytes_)));
}

AppendResult SendQueue::AppendEncoded(Batch batch) {
  if (!Fits(batch.lane, batch.body_bytes) && !MakeRoom(batch.body_bytes))
    return AppendResult::kFull;
  PushClosed(std::move(batch));
  return AppendResult::kAccepted;
}

void SendQueue::PushClosed(Batch batch) {
  LaneQueue& queue = At(batch.lane);
  envelopes_ += batch.records;
  AddBytes(batch.body_bytes, &queue);
  if (queue.open) Close(&queue);
  queue.batches.PushBack(std::move(batch));
}

void SendQueue::AppendShared(const Batch& batch, const EncodeState& encode) {
  if (batch.body_bytes >= batch_bytes_ / 2) return PushClosed(batch);
  // A few records in a buffer of their own would be a frame of their own too.
  LaneQueue& queue = At(batch.lane);
  envelopes_ += batch.records;
  AddBytes(batch.body_bytes, &queue);
  Batch& last = OpenFor(batch.lane, batch.body_bytes, &queue);
  std::memcpy(last.body_end(), batch.body_begin(), batch.body_bytes);
  last.body_bytes += batch.body_bytes;
  last.payload_bytes_longest =
      std::max(last.payload_bytes_longest, batch.payload_bytes_longest);
  last.records += batch.records;
  queue.encode = encode;
}

bool SendQueue::MakeRoom(std::size_t bytes) {
  if (envelopes_ == 0) return true;
  if (config_.overflow == Overflow::kReject) return false;
  while (bytes_ + bytes > config_.queue_bytes_max && DropOldest()) {
  }
  return bytes_ + bytes <= config_.queue_bytes_max || envelopes_ == 0;
}

bool SendQueue::DropOldest() {
  for (Lane lane : {Lane::kBulk, Lane::kNormal, Lane::kUrgent}) {
    LaneQueue& queue = At(lane);
    // A record that is cut in part has been transmitted in part: it stays, and
    // so does its lane.
    if (queue.batches.empty() || queue.batches.front().cut_bytes > 0) continue;
    const Batch& oldest = queue.batches.front();
    TakeBytes(oldest.body_bytes, &queue);
    envelopes_ -= oldest.records;
    overflowed_ += oldest.records;
    queue.batches.PopFront();
    if (queue.batches.empty()) queue.open = false;
    return true;
  }
  return false;
}

Batch SendQueue::Take(Lane lane) {
  LaneQueue& queue = At(lane);
  CLUSTER_CHECK(!queue.batches.empty() && !queue.batches.front().large,
                "no small batch in front");
  if (queue.open && queue.batches.size() == 1) Close(&queue);
  Batch batch = queue.batches.PopFront();
  TakeBytes(batch.body_bytes, &queue);
  envelopes_ -= batch.records;
  if (batch.shared) return batch;
  return Compact(config_.buffers.get(), std::move(batch));
}

void SendQueue::CutFront(Lane lane, std::size_t bytes) {
  Batch& front = At(lane).batches.front();
  CLUSTER_CHECK(front.large && front.cut_bytes + bytes <= front.body_bytes,
                "cut beyond the end");
  front.cut_bytes += bytes;
  front.headed_bytes = std::max(front.headed_bytes, front.cut_bytes);
  if (front.cut_bytes == front.body_bytes) DropFront(lane);
}

void SendQueue::DropFront(Lane lane) {
  LaneQueue& queue = At(lane);
  TakeBytes(queue.batches.front().body_bytes, &queue);
  envelopes_ -= queue.batches.front().records;
  queue.batches.PopFront();
}

std::uint64_t SendQueue::DropTooLarge(Lane lane,
                                      std::size_t payload_bytes_max) {
  const Batch& front = Front(lane);
  if (front.payload_bytes_longest <= payload_bytes_max) return 0;
  const std::uint32_t before = front.records;
  if (front.large) {
    DropFront(lane);
    return before;
  }
  Batch rest = WithoutTooLarge(config_, Take(lane), payload_bytes_max);
  const std::uint64_t dropped = before - rest.records;
  if (rest.records > 0) PutFront(std::move(rest));
  return dropped;
}

void SendQueue::PutFront(Batch batch) {
  LaneQueue& queue = At(batch.lane);
  AddBytes(batch.body_bytes, &queue);
  envelopes_ += batch.records;
  batch.cut_bytes = 0;
  const bool was_empty = queue.batches.empty();
  queue.batches.PushFront(std::move(batch));
  if (was_empty) queue.open = false;
}

void SendQueue::RestartFront(Lane lane) {
  LaneQueue& queue = At(lane);
  if (!queue.batches.empty()) queue.batches.front().cut_bytes = 0;
}

void SendQueue::Clear() {
  for (LaneQueue& queue : lanes_) queue = LaneQueue();
  bytes_ = 0;
  envelopes_ = 0;
}

}  // namespace cluster
