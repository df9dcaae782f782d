// The sending half of ReliablePeer.

#include <new>
#include <utility>

#include "absl/base/optimization.h"
#include "cluster/base/clock.h"
#include "cluster/server/reliable_peer.h"

namespace cluster::internal {

SendOutcome ReliablePeer::Send(int id, const EnvelopeView& envelope) {
  const Appended appended = queue_.Append(id, envelope);
  if (ABSL_PREDICT_FALSE(appended.wanted)) Transmit();
  return appended.outcome;
}

SendOutcome ReliablePeer::SendLarge(int id, const EnvelopeView& envelope,
                                    absl::optional<Batch>* encoded) {
  const Appended appended = queue_.AppendLarge(id, envelope, encoded);
  if (appended.wanted) Transmit();
  return appended.outcome;
}

void ReliablePeer::SendShared(const Batch& batch, const EncodeState& encode) {
  if (queue_.AppendShared(batch, encode)) Transmit();
}

// The queue has what the session waits for.
void ReliablePeer::Transmit() {
  MutexLock lock(&mutex_);
  Touch();
  if (session_ != nullptr && !left_) Pump();
}

// Ends when there is no next frame, so that the queue knows what the session
// waits for; or when the transport takes no more.
void ReliablePeer::Pump() {
  OrAtNextTick([this] {
    mutex_.AssertHeld();
    const absl::Time now = MonotonicNow();
    Frame frame;
    while (session_->NextFrame(now, &frame) && GiveToTransport(frame) &&
           session_->Due()) {
    }
  });
  TellDrops();
}

// False: it did not take it, and says when it may.
bool ReliablePeer::GiveToTransport(const Frame& frame) {
  try {
    if (transport_->Send(config_.peer_id, frame) == SendResult::kSent)
      return true;
  } catch (const std::bad_alloc&) {
    session_->FrameNotTaken();
    session_->OnWritable();  // the transport does not say so
    throw;
  }
  session_->FrameNotTaken();
  return false;
}

void ReliablePeer::TellDrops() {
  if (waiters_ == 0) return;
  const std::uint64_t dropped = queue_.dropped();
  if (std::exchange(drops_told_, dropped) != dropped) changed_.NotifyAll();
}

template <typename Predicate>
bool ReliablePeer::WaitUntil(std::chrono::steady_clock::time_point deadline,
                             Predicate predicate) {
  MutexLock lock(&mutex_);
  ++waiters_;
  const bool done = changed_.WaitUntil(&mutex_, deadline, predicate);
  --waiters_;
  return done;
}

bool ReliablePeer::WaitForRoom(int id, const EnvelopeView& envelope,
                               std::chrono::steady_clock::time_point deadline) {
  SendOutcome outcome = SendOutcome::kFull;
  const auto done = [&] {
    outcome = queue_.MayAppend(id, envelope);
    return outcome != SendOutcome::kFull;
  };
  if (!WaitUntil(deadline, done)) return false;
  // Any peer that gives memory back makes room.
  return config_.memory->WaitUntil(deadline, [&] {
    return queue_.MayAppend(id, envelope) != SendOutcome::kNoMemory;
  });
}

SendMark ReliablePeer::BeginFlush(int id) {
  MutexLock lock(&mutex_);
  Touch();
  if (!Serves(id)) return {};
  const SendMark mark = queue_.Mark();
  if (!session_->Settled(mark)) {
    session_->RequestConsumed();
    Pump();
  }
  return mark;
}

bool ReliablePeer::WaitFlushed(const SendMark& mark,
                               std::chrono::steady_clock::time_point deadline) {
  return WaitUntil(deadline, [&] {
    mutex_.AssertHeld();
    return session_ == nullptr || session_->Settled(mark);
  });
}

bool ReliablePeer::WaitReceived(
    std::chrono::steady_clock::time_point deadline) {
  return WaitUntil(deadline, [this] {
    mutex_.AssertHeld();
    // One that was there and went will hardly come back in time; one that was
    // not there yet may be about to.
    return session_ == nullptr || session_->AllReceived() ||
           (!session_->up() && session_->id() != 0);
  });
}

}  // namespace cluster::internal
