// OpenBatch: the batch of a lane that takes records, straight from the caller's
// envelopes.
//
// What it is: a batch, what its next record leans on, and how large a buffer
// the next one is worth. What it is not: bounded by more than a frame.
//
// Threads: none of its own, not thread-safe. Ownership: its buffer, until Close
// or TakeFrom takes it. Errors: none.
//
//   OpenBatch open(config, Lane::kNormal);
//   const std::size_t bytes = config.codec->RecordBytesMax(envelope);
//   if (!open.Fits(bytes)) Send(open.Close());
//   open.Append(envelope, bytes);

#ifndef CLUSTER_LINK_OPEN_BATCH_H_
#define CLUSTER_LINK_OPEN_BATCH_H_

#include <cstddef>

#include "cluster/envelope.h"
#include "cluster/link/batch.h"
#include "cluster/link/link_config.h"
#include "codec/codec.h"

namespace cluster {

class OpenBatch {
 public:
  // The config outlives it.
  OpenBatch(const LinkConfig& config, Lane lane);

  bool empty() const { return batch_.records == 0; }
  // Whether there is no room for another record like the last.
  bool full() const { return full_; }
  const Batch& batch() const { return batch_; }
  const EncodeState& encode() const { return encode_; }

  // Whether `bytes` more would leave it within a frame.
  bool Fits(std::size_t bytes) const {
    return batch_.body_bytes + bytes <= batch_bytes_;
  }

  // Takes a record of at most `record_bytes_max`, and returns its bytes. Where
  // it does not fit, the batch is empty.
  std::size_t Append(const EnvelopeView& envelope,
                     std::size_t record_bytes_max);
  // Takes a copy of the records of another, which fit. `encode` is the state
  // after the last of them.
  void AppendCopy(const Batch& other, const EncodeState& encode);
  // Becomes what `other` is, and leaves it empty. It is empty itself.
  void TakeFrom(OpenBatch* other);

  // What it has, with its checksum; it is empty then, and has no buffer.
  Batch Close();
  // The same in a buffer of its own; it keeps the one that it has.
  Batch CloseCopy();
  void Clear();

 private:
  void MakeRoom(std::size_t bytes);
  Batch Release();

  const LinkConfig* config_;
  std::size_t batch_bytes_;    // a batch with this much is full
  std::size_t capacity_next_;  // follows the size of recent batches
  Batch batch_;
  EncodeState encode_;
  bool full_ = false;
};

}  // namespace cluster

#endif  // CLUSTER_LINK_OPEN_BATCH_H_
