#include "cluster/server/staging.h"

#include <utility>

namespace cluster {

Staging::Staging(const LinkConfig& config)
    : config_(config), batch_(config, kGatheringLane) {}

Staging::Result Staging::Append(const EnvelopeView& envelope) {
  if (!open() || !MayGather(config_, envelope)) return Result::kRefused;
  const std::size_t bytes_max = config_.codec->RecordBytesMax(envelope);
  std::lock_guard<std::mutex> lock(mutex_);
  if (!open()) return Result::kRefused;
  if (!batch_.Fits(bytes_max))
    return batch_.empty() ? Result::kRefused : Result::kNoRoom;
  const bool first = batch_.empty();
  batch_.Append(envelope, bytes_max);
  if (first) waiting_.store(true, std::memory_order_release);
  return batch_.full() ? Result::kFilled : Result::kTaken;
}

void Staging::Open() {
  if (open()) return;
  std::lock_guard<std::mutex> lock(mutex_);
  open_.store(true, std::memory_order_release);
}

bool Staging::Take(OpenBatch* staged) {
  if (!waiting()) return false;
  std::lock_guard<std::mutex> lock(mutex_);
  std::swap(batch_, *staged);
  waiting_.store(false, std::memory_order_release);
  return true;
}

bool Staging::Close(OpenBatch* staged) {
  if (!open()) return false;
  std::lock_guard<std::mutex> lock(mutex_);
  open_.store(false, std::memory_order_release);
  const bool waited = !batch_.empty();
  if (waited) std::swap(batch_, *staged);
  waiting_.store(false, std::memory_order_release);
  batch_.Clear();
  return waited;
}

void Staging::AddTo(PeerStats* stats) const {
  std::lock_guard<std::mutex> lock(mutex_);
  stats->accepted += batch_.batch().records;
  stats->queued += batch_.batch().records;
  stats->queued_bytes += batch_.batch().body_bytes;
}

}  // namespace cluster
