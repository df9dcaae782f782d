#include "cluster/session/open_batch.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace cluster::internal {
namespace {

constexpr std::size_t kCapacityMin = 1024;

}  // namespace

OpenBatch::OpenBatch(const SessionConfig& config, Lane lane)
    : config_(&config),
      batch_bytes_(BatchBytes(config)),
      capacity_next_(kCapacityMin) {
  batch_.lane = lane;
}

void OpenBatch::AppendCopy(const Batch& other, const EncodeState& encode) {
  if (batch_.room() < other.body_bytes) MakeRoom(other.body_bytes);
  std::memcpy(batch_.body_end(), other.body_begin(), other.body_bytes);
  batch_.body_bytes += other.body_bytes;
  batch_.payload_bytes_longest =
      std::max(batch_.payload_bytes_longest, other.payload_bytes_longest);
  batch_.features = features() | other.features;
  batch_.records += other.records;
  encode_ = encode;
}

// A new buffer, or a larger one.
void OpenBatch::MakeRoom(std::size_t bytes) {
  const std::size_t needed = batch_.body_bytes + bytes;
  const std::size_t wanted = batch_.buffer == nullptr
                                 ? capacity_next_
                                 : std::min(4 * batch_.capacity, batch_bytes_);
  const std::size_t capacity = std::max(needed, wanted);
  batch_ = empty() ? NewBatch(config_->buffers.get(), batch_.lane, capacity)
                   : WithCapacity(config_->buffers.get(), batch_, capacity);
}

Batch OpenBatch::Release(Batch spare) {
  const std::size_t recent = batch_.body_bytes;
  capacity_next_ =
      std::min(std::max(recent + recent / 4, kCapacityMin), batch_bytes_);
  batch_.features = features();
  Batch released = std::move(batch_);
  batch_ = Batch();
  batch_.lane = released.lane;
  batch_.buffer = std::move(spare.buffer);
  batch_.capacity = spare.capacity;
  encode_ = EncodeState();
  full_ = false;
  return released;
}

void OpenBatch::Empty() {
  Batch batch = Release();
  batch_.buffer = std::move(batch.buffer);
  batch_.capacity = batch.capacity;
}

void OpenBatch::Clear() { Release(); }

}  // namespace cluster::internal
