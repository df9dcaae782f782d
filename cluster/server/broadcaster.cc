#include "cluster/server/broadcaster.h"

#include <new>

#include "cluster/codec/codec.h"

namespace cluster::internal {
namespace {

// Broadcasts gather after this many that were sent directly with nothing else
// between: fewer would not be worth a look at each peer.
constexpr int kDirectMin = 8;

}  // namespace

Broadcaster::Broadcaster(const SessionConfig& config,
                         const PeerTable<ReliablePeer>* peers)
    : config_(config),
      batch_bytes_(BatchBytes(config)),
      gathered_bytes_max_(GatheredBytesMax(config)),
      peers_(peers),
      batch_(config_, kGatheringLane) {}

void Broadcaster::SetBatchBytes(std::size_t bytes) {
  MutexLock lock(&mutex_);
  batch_bytes_.store(bytes, std::memory_order_relaxed);
  batch_.SetBatchBytes(bytes);
}

std::vector<int> Broadcaster::Send(const EnvelopeView& envelope) {
  std::vector<int> troubled;
  if (open() && Gather(envelope)) return troubled;
  const bool large = envelope.payload.size() > LoneBytes(config_.frame_bytes);
  absl::optional<Batch> encoded;
  bool taken = true;  // by all who are members
  bool memory = true;
  for (ReliablePeer* const peer : peers_->all()) {
    const int id = peer->id();
    if (id == Peer::kNobody) continue;
    // A peer without memory for it keeps it from no other.
    try {
      const SendOutcome outcome = large
                                      ? peer->SendLarge(id, envelope, &encoded)
                                      : peer->Send(id, envelope);
      if (outcome == SendOutcome::kAccepted) continue;
      taken = taken && outcome == SendOutcome::kRemoved;
      troubled.push_back(id);
    } catch (const std::bad_alloc&) {
      memory = false;
    }
  }
  if (!memory) throw std::bad_alloc();
  if (taken && !large) CountDirect();
  return troubled;
}

void Broadcaster::CountDirect() {
  if (direct_.fetch_add(1, std::memory_order_relaxed) + 1 < kDirectMin) return;
  direct_.store(0, std::memory_order_relaxed);
  if (!AllGather()) return;
  MutexLock lock(&mutex_);
  if (!stopped_) open_.store(true, std::memory_order_release);
}

bool Broadcaster::AllGather() const {
  const std::size_t batch_bytes = batch_bytes_.load(std::memory_order_relaxed);
  for (ReliablePeer* const peer : peers_->all()) {
    if (!peer->Gathers(batch_bytes)) return false;
  }
  return true;
}

// False: the envelope is to be sent directly, and nothing waits here.
bool Broadcaster::Gather(const EnvelopeView& envelope) {
  MutexLock lock(&mutex_);
  if (!open()) return false;
  const std::size_t bytes_max = config_.codec->RecordBytesMax(envelope);
  const bool gathers =
      MayGather(envelope, gathered_bytes_max_) && bytes_max <= batch_bytes_;
  if (!gathers || !batch_.Fits(bytes_max)) HandOver();
  if (!gathers) open_.store(false, std::memory_order_release);
  if (!open()) return false;
  const bool first = batch_.empty();
  batch_.Append(envelope, bytes_max);
  if (first) {
    // AllGather sees a peer that gets free before its lock is taken there; one
    // that does so later sees waiting_ in OnRoom.
    waiting_.store(true, std::memory_order_release);
    if (!AllGather()) HandOverLater();
  }
  return true;
}

// Without memory the batch waits for the next call of OnRoom, which comes with each
// tick.
void Broadcaster::HandOverLater() {
  try {
    HandOver();
  } catch (const std::bad_alloc&) {
  }
}

void Broadcaster::HandOver() {
  if (closed_.records > 0) HandOverClosed();
  if (batch_.empty()) return;
  encode_ = batch_.encode();
  closed_ = batch_.Release();
  Sum(&closed_);
  closed_.shared = true;
  HandOverClosed();
  waiting_.store(false, std::memory_order_release);
  if (!AllGather()) open_.store(false, std::memory_order_release);
}

// No member comes or goes meanwhile: that waits for Close.
void Broadcaster::HandOverClosed() {
  const absl::Span<ReliablePeer* const> peers = peers_->all();
  for (; closed_taken_ < peers.size(); ++closed_taken_)
    peers[closed_taken_]->SendShared(closed_, encode_);
  closed_ = Batch();
  closed_taken_ = 0;
}

void Broadcaster::Close() {
  MutexLock lock(&mutex_);
  HandOver();
  open_.store(false, std::memory_order_release);
  direct_.store(0, std::memory_order_relaxed);
}

void Broadcaster::Stop() {
  {
    MutexLock lock(&mutex_);
    stopped_ = true;
  }
  Close();
}

void Broadcaster::OnRoom() {
  if (!waiting_.load(std::memory_order_acquire) || AllGather()) return;
  MutexLock lock(&mutex_);
  HandOverLater();
}

}  // namespace cluster::internal
