#include "cluster/link/batch.h"

#include <cstring>
#include <utility>

namespace cluster {

Batch NewBatch(BufferPool* buffers, Lane lane, std::size_t capacity) {
  Batch batch;
  batch.buffer = buffers->Lend(kFrameHeaderBytes + capacity);
  batch.capacity = capacity;
  batch.lane = lane;
  return batch;
}

Batch Compact(BufferPool* buffers, Batch batch) {
  constexpr std::size_t kSlackBytes = 1024;
  const bool roomy = batch.capacity > 2 * batch.body_bytes + kSlackBytes;
  if (!roomy && batch.buffer.use_count() == 1) return batch;
  Batch compact = NewBatch(buffers, batch.lane, batch.body_bytes);
  std::memcpy(compact.body_begin(), batch.body_begin(), batch.body_bytes);
  compact.body_bytes = batch.body_bytes;
  compact.records = batch.records;
  compact.large = batch.large;
  compact.cut_bytes = batch.cut_bytes;
  return compact;
}

}  // namespace cluster
