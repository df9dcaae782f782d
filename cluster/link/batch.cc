#include "cluster/link/batch.h"

#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace cluster {

std::shared_ptr<char> AllocateBytes(std::size_t bytes) {
  void* memory = std::malloc(bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return std::shared_ptr<char>(static_cast<char*>(memory), std::free);
}

Batch NewBatch(Lane lane, std::size_t capacity) {
  Batch batch;
  batch.buffer = AllocateBytes(kFrameHeaderBytes + capacity);
  batch.capacity = capacity;
  batch.lane = lane;
  return batch;
}

Batch Compact(Batch batch) {
  constexpr std::size_t kSlackBytes = 1024;
  const bool roomy = batch.capacity > 2 * batch.body_bytes + kSlackBytes;
  if (!roomy && batch.buffer.use_count() == 1) return batch;
  Batch compact = NewBatch(batch.lane, batch.body_bytes);
  std::memcpy(compact.body_begin(), batch.body_begin(), batch.body_bytes);
  compact.body_bytes = batch.body_bytes;
  compact.records = batch.records;
  compact.large = batch.large;
  compact.cut_bytes = batch.cut_bytes;
  return compact;
}

}  // namespace cluster
