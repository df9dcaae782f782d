#include "cluster/session/receive_window.h"

#include "cluster/base/check.h"
#include "cluster/session/session_config.h"

namespace cluster::internal {

void ReceiveWindow::Reset() {
  untaken_.Clear();
  received_through_ = 0;
  bytes_ = 0;
  gap_reported_ = false;
}

ReceiveResult ReceiveWindow::Receive(std::uint64_t sequence,
                                     std::size_t body_bytes) {
  if (sequence <= received_through_) return ReceiveResult::kDuplicate;
  if (sequence > received_through_ + 1) {
    const bool again = gap_reported_;
    gap_reported_ = true;
    return again ? ReceiveResult::kGapAgain : ReceiveResult::kGap;
  }
  const std::size_t charge = FrameCharge(body_bytes);
  // An empty window takes a frame of any size: the sender's rule is the same.
  if (bytes_ > 0 && bytes_ + charge > window_bytes_)
    return ReceiveResult::kOverrun;
  gap_reported_ = false;
  received_through_ = sequence;
  untaken_.PushBack({charge, State::kHeld});
  bytes_ += charge;
  return ReceiveResult::kNext;
}

ReceiveWindow::Untaken* ReceiveWindow::Find(std::uint64_t sequence,
                                            State state) {
  if (sequence <= consumed_through() || sequence > received_through_)
    return nullptr;
  Untaken* const frame =
      &untaken_[static_cast<std::size_t>(sequence - consumed_through() - 1)];
  return frame->state == state ? frame : nullptr;
}

void ReceiveWindow::Deliver(std::uint64_t sequence) {
  Untaken* const frame = Find(sequence, State::kHeld);
  CLUSTER_CHECK(frame != nullptr, "delivered a frame that is not held");
  frame->state = State::kDelivered;
}

bool ReceiveWindow::Consume(std::uint64_t sequence) {
  Untaken* const frame = Find(sequence, State::kDelivered);
  if (frame == nullptr) return false;
  frame->state = State::kTaken;
  while (!untaken_.empty() && untaken_.front().state == State::kTaken) {
    bytes_ -= untaken_.front().charge;
    untaken_.DropFront();
  }
  return true;
}

}  // namespace cluster::internal
