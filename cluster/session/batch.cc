#include "cluster/session/batch.h"

#include <cstring>
#include <utility>

namespace cluster::internal {

Batch NewBatch(BufferPool* buffers, Lane lane, std::size_t capacity) {
  Batch batch;
  batch.buffer = buffers->Lend(kFrameHeaderBytes + capacity);
  batch.capacity = capacity;
  batch.lane = lane;
  return batch;
}

Batch WithCapacity(BufferPool* buffers, const Batch& batch,
                   std::size_t capacity) {
  Batch other = NewBatch(buffers, batch.lane, capacity);
  std::memcpy(other.body_begin(), batch.body_begin(), batch.body_bytes);
  other.body_bytes = batch.body_bytes;
  other.payload_bytes_longest = batch.payload_bytes_longest;
  other.features = batch.features;
  other.records = batch.records;
  other.first_ordinal = batch.first_ordinal;
  other.summed = batch.summed;
  other.body_crc = batch.body_crc;
  return other;
}

void Sum(Batch* batch) {
  batch->body_crc = Crc32c(batch->body());
  batch->summed = true;
}

bool IsCompact(const Batch& batch) {
  constexpr std::size_t kSlackBytes = 1024;
  const bool roomy = batch.capacity > 2 * batch.body_bytes + kSlackBytes;
  return !roomy && batch.buffer.use_count() == 1;
}

}  // namespace cluster::internal
