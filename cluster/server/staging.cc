#include "cluster/server/staging.h"

#include <utility>

namespace cluster {

Staging::Staging(const LinkConfig& config)
    : config_(config),
      gathered_bytes_max_(GatheredBytesMax(config)),
      peer_(config.peer_id),
      batch_(config, kGatheringLane) {}

void Staging::Serve(int peer) {
  std::lock_guard<std::mutex> lock(mutex_);
  peer_ = peer;
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
