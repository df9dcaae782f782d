// SendQueue: envelopes that a link has accepted and not yet transmitted.
//
// What it is: per lane, a FIFO of closed batches, and behind them an open one
// that takes the next record. Bounded in bytes over all lanes; of the bound the
// urgent and the normal lane may each use an eighth however full the others
// are, so that a large payload in the bulk lane shuts no vote out. What it is
// not: a window; what was transmitted is in SendWindow.
//
// Threads: none of its own, not thread-safe. Errors: Append's result. Where
// memory ends a call throws std::bad_alloc, and all is as it was.
//
//   SendQueue queue(config);
//   if (queue.Append(envelope) == AppendResult::kFull) ...
//   if (queue.HasFull(Lane::kNormal)) Batch batch = queue.Take(Lane::kNormal);

#ifndef CLUSTER_SESSION_SEND_QUEUE_H_
#define CLUSTER_SESSION_SEND_QUEUE_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "cluster/base/ring.h"
#include "cluster/codec/codec.h"
#include "cluster/envelope.h"
#include "cluster/session/batch.h"
#include "cluster/session/link_config.h"
#include "cluster/session/open_batch.h"

namespace cluster {

inline constexpr std::array<Lane, kLanes> kLanesByUrgency = {
    Lane::kUrgent, Lane::kNormal, Lane::kBulk};

enum class AppendResult {
  kAccepted,
  kFull,      // overflow is kReject and there is no room
  kNoMemory,  // the same for memory_bytes_max, with all peers together
  kTooLarge,  // the payload is over payload_bytes_max, own or the peer's
};

// How many envelopes a peer would not take, by the reason.
struct Unfit {
  std::uint64_t too_large = 0;
  std::uint64_t unsupported = 0;
};

class SendQueue {
 public:
  explicit SendQueue(const LinkConfig& config);

  // Encodes the envelope at the end of its lane. An empty queue takes any
  // payload that is within payload_bytes_max, whatever queue_bytes_max is.
  AppendResult Append(const EnvelopeView& envelope);
  // The same for what EncodeLarge (large_record.h) made.
  AppendResult AppendEncoded(Batch batch);
  // Takes the records of a small batch that is shared with other peers. There
  // is room for them. `encode` is the state after the last of them.
  void AppendShared(const Batch& batch, const EncodeState& encode);
  // Takes what `staged` has, and leaves it empty. There is room for it. Needs no
  // memory after ReserveStaged, with no other call between.
  void ReserveStaged(Lane lane);
  void AppendStaged(OpenBatch* staged);

  // Drops what waited longest for a newcomer of that lane, until so many bytes
  // are free. False if that would not be enough: then it drops nothing.
  bool DropOldest(Lane newcomer, std::size_t bytes);

  // Whether it would be taken without dropping anything.
  bool HasRoom(const EnvelopeView& envelope) const {
    return HasRoom(envelope.lane, config_.codec->RecordBytesMax(envelope));
  }
  bool HasRoom(Lane lane, std::size_t record_bytes) const {
    return envelopes_ == 0 || Fits(lane, record_bytes);
  }
  bool HasRoomFor(std::size_t bytes) const {
    return bytes_ + bytes <= config_.queue_bytes_max;
  }

  bool Empty(Lane lane) const {
    return At(lane).closed.empty() && At(lane).open.empty();
  }
  bool Empty() const { return envelopes_ == 0; }

  // How many envelopes the lane has accepted; each has its ordinal, from 1,
  // which it keeps when it is put back.
  std::uint64_t accepted(Lane lane) const { return At(lane).accepted; }
  // The ordinal of the first envelope that waits in the lane; of the next one
  // that it accepts, if none does.
  std::uint64_t FrontOrdinal(Lane lane) const {
    const LaneQueue& queue = At(lane);
    return queue.closed.empty() ? OpenOrdinal(queue)
                                : queue.closed.front().first_ordinal;
  }

  // Whether the lane's first batch takes no more records: it is worth a frame
  // of its own.
  bool HasFull(Lane lane) const { return !At(lane).closed.empty(); }

  // The first batch. The lane is not empty.
  const Batch& Front(Lane lane) const {
    const LaneQueue& queue = At(lane);
    return queue.closed.empty() ? queue.open.batch() : queue.closed.front();
  }
  // Removes the first batch. It is small; large ones are cut with CutFront.
  Batch Take(Lane lane);
  // Marks `bytes` more of the first batch, a large one, as cut; removes it when
  // none is left.
  void CutFront(Lane lane, std::size_t bytes);
  // Drops what in the first batch the peer would not take: payloads over its
  // bound, and records that need a feature which it lacks. What is cut in part
  // it has been taking.
  Unfit DropUnfit(Lane lane, std::size_t payload_bytes_max,
                  std::uint64_t features);

  // Puts a batch back in front of its lane, to be transmitted (again) next, as
  // the accepted envelope it is; the bound does not apply.
  void PutFront(Batch batch);
  // The first batch of the lane, if it is large and cut in part, is to be cut
  // from its beginning again.
  void RestartFront(Lane lane);

  void Clear();

  std::size_t bytes() const { return bytes_; }
  std::uint64_t envelopes() const { return envelopes_; }
  // Dropped by Overflow::kDropOldest so far.
  std::uint64_t overflowed() const { return overflowed_; }

 private:
  struct LaneQueue {
    LaneQueue(const LinkConfig& config, Lane lane) : open(config, lane) {}

    Ring<Batch> closed;
    OpenBatch open;
    std::size_t bytes = 0;
    std::uint64_t accepted = 0;
  };

  LaneQueue& At(Lane lane) { return lanes_[static_cast<std::size_t>(lane)]; }
  const LaneQueue& At(Lane lane) const {
    return lanes_[static_cast<std::size_t>(lane)];
  }

  // What an open batch holds was accepted last.
  static std::uint64_t OpenOrdinal(const LaneQueue& queue) {
    return queue.accepted - queue.open.batch().records + 1;
  }

  bool Fits(Lane lane, std::size_t record_bytes) const;
  void Accept(std::uint64_t envelopes, std::size_t bytes, LaneQueue* queue);
  void Count(std::uint64_t envelopes, std::size_t bytes, LaneQueue* queue);
  void Discount(const Batch& batch, LaneQueue* queue);
  void DropFront(Lane lane);
  bool MayMakeRoom(Lane lane, std::size_t bytes) const;
  void MakeRoom(Lane newcomer, std::size_t bytes);
  std::size_t DroppableFor(Lane newcomer) const;
  bool MayDropFor(Lane newcomer, Lane lane) const;
  void DropOldestFor(Lane newcomer);
  void PushClosed(Batch batch);
  Batch PopFront(LaneQueue* queue);
  Batch CloseOpen(LaneQueue* queue);
  bool IsSmall(const Batch& batch) const {
    return batch.body_bytes < batch_bytes_ / 2;
  }
  void Close(LaneQueue* queue);
  void CloseFull(LaneQueue* queue);
  bool JoinOpen(OpenBatch* staged, LaneQueue* queue);
  Batch CloseStaged(OpenBatch* staged);

  const LinkConfig& config_;
  const std::size_t chunk_bytes_;  // a record over this is large
  const std::size_t batch_bytes_;  // a batch with this much is full
  std::array<LaneQueue, kLanes> lanes_;
  std::size_t bytes_ = 0;
  std::uint64_t envelopes_ = 0;
  std::uint64_t overflowed_ = 0;
};

}  // namespace cluster

#endif  // CLUSTER_SESSION_SEND_QUEUE_H_
