#include "cluster/link/receive_window.h"

#include "cluster/link/link_config.h"

namespace cluster {

void ReceiveWindow::Reset() {
  delivered_.Clear();
  received_through_ = 0;
  bytes_ = 0;
  gap_told_ = false;
}

ReceiveResult ReceiveWindow::Receive(std::uint64_t sequence,
                                     std::size_t body_bytes) {
  if (sequence <= received_through_) return ReceiveResult::kDuplicate;
  if (sequence > received_through_ + 1) {
    const bool told = gap_told_;
    gap_told_ = true;
    return told ? ReceiveResult::kGapAgain : ReceiveResult::kGap;
  }
  last_charge_ = FrameCharge(body_bytes);
  // An empty window takes a frame of any size: the sender's rule is the same.
  if (bytes_ > 0 && bytes_ + last_charge_ > window_bytes_)
    return ReceiveResult::kOverrun;
  gap_told_ = false;
  received_through_ = sequence;
  return ReceiveResult::kNext;
}

void ReceiveWindow::Deliver() {
  delivered_.PushBack({received_through_, last_charge_, false});
  bytes_ += last_charge_;
}

bool ReceiveWindow::Skip() {
  if (delivered_.empty()) return true;
  delivered_.PushBack({received_through_, last_charge_, true});
  bytes_ += last_charge_;
  return false;
}

bool ReceiveWindow::Consume(std::uint64_t sequence) {
  if (delivered_.empty() || delivered_.front().sequence != sequence)
    return false;
  do {
    bytes_ -= delivered_.front().charge;
    delivered_.DropFront();
  } while (!delivered_.empty() && delivered_.front().skipped);
  return true;
}

}  // namespace cluster
