// OpenBatch: the batch of a lane that takes records, straight from the caller's
// envelopes.
//
// It owns its buffer until Release takes it, and knows how large the next one
// should be. Not thread-safe. Reserve, Append and AppendCopy may throw
// std::bad_alloc, and then nothing has changed.
//
//   OpenBatch open(config, Lane::kNormal);
//   const std::size_t bytes = config.codec->RecordBytesMax(envelope);
//   if (!open.Fits(bytes)) Send(open.Release());
//   open.Append(envelope, bytes);

#ifndef CLUSTER_SESSION_OPEN_BATCH_H_
#define CLUSTER_SESSION_OPEN_BATCH_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/base/optimization.h"
#include "cluster/codec/codec.h"
#include "cluster/envelope.h"
#include "cluster/session/batch.h"
#include "cluster/session/session_config.h"

namespace cluster::internal {

class OpenBatch {
 public:
  // The config outlives it.
  OpenBatch(const SessionConfig& config, Lane lane);

  bool empty() const { return batch_.records == 0; }
  // Whether there is no room for another record like the last.
  bool full() const { return full_; }
  const Batch& batch() const { return batch_; }
  const EncodeState& encode() const { return encode_; }
  // The features that its records need; batch() has them once it is closed.
  std::uint64_t features() const {
    return batch_.features | (encode_.grouped ? kFeatureGroups : 0);
  }

  // Whether `bytes` more would leave it within a frame.
  bool Fits(std::size_t bytes) const {
    return batch_.body_bytes + bytes <= batch_bytes_;
  }

  // From now on a batch with this much is full.
  void SetBatchBytes(std::size_t bytes) { batch_bytes_ = bytes; }

  // Append of so many bytes needs no memory, also after Empty.
  void Reserve(std::size_t bytes) {
    if (ABSL_PREDICT_FALSE(batch_.room() < bytes)) MakeRoom(bytes);
  }
  // Takes a record of at most `record_bytes_max`, and returns its bytes. Where
  // it does not fit, the batch is empty.
  std::size_t Append(const EnvelopeView& envelope,
                     std::size_t record_bytes_max);
  // Takes a copy of the records of another, which fit. `encode` is the state
  // after the last of them.
  void AppendCopy(const Batch& other, const EncodeState& encode);

  // Returns the batch, not summed yet, and is empty then. The next one takes the
  // buffer of `spare`, which may have none.
  Batch Release(Batch spare = Batch());
  // Drops the records, and keeps the buffer.
  void Empty();
  void Clear();

 private:
  static constexpr std::size_t kCacheLineBytes = 64;

  void MakeRoom(std::size_t bytes);

  // The members that a record changes come first and together: where several
  // threads send to one peer, each of them fetches these anew.
  const SessionConfig* config_;
  std::size_t batch_bytes_;  // a batch with this much is full
  EncodeState encode_;
  bool full_ = false;
  Batch batch_;
  std::size_t capacity_next_;  // follows the size of recent batches
};

// Here, since every envelope is through it.
inline std::size_t OpenBatch::Append(const EnvelopeView& envelope,
                                     std::size_t record_bytes_max) {
  Reserve(record_bytes_max);
  char* const begin = batch_.body_end();
  char* const end = config_->codec->AppendRecord(envelope, &encode_, begin);
  const auto written = static_cast<std::size_t>(end - begin);
  batch_.body_bytes += written;
  // In a server with many peers nothing near is cached any more by the next
  // record, and the lock would be held over a miss. Among 32 servers that was a
  // quarter of all CPU time.
  __builtin_prefetch(end, 1);
  __builtin_prefetch(end + kCacheLineBytes, 1);
  batch_.payload_bytes_longest =
      std::max(batch_.payload_bytes_longest, envelope.payload.size());
  ++batch_.records;
  // Known now, and not only when the next one comes.
  full_ = !Fits(record_bytes_max);
  return written;
}

}  // namespace cluster::internal

#endif  // CLUSTER_SESSION_OPEN_BATCH_H_
