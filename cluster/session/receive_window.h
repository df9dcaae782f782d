// ReceiveWindow: which frame of the peer comes next, and how far the
// application is.
//
// It suppresses duplicates, finds gaps and knows the two acknowledgements. It
// keeps no frames: those out of order are dropped (the sender goes back), those
// in order are the session's at once. Not thread-safe.

#ifndef CLUSTER_SESSION_RECEIVE_WINDOW_H_
#define CLUSTER_SESSION_RECEIVE_WINDOW_H_

#include <cstddef>
#include <cstdint>

#include "cluster/base/ring.h"

namespace cluster::internal {

enum class ReceiveResult {
  kNext,       // take it
  kDuplicate,  // it has been here
  kGap,        // one before it has not; the first time in a row
  kGapAgain,   // the same, after a kGap
  kOverrun,    // the sender exceeds its window
};

class ReceiveWindow {
 public:
  explicit ReceiveWindow(std::size_t window_bytes)
      : window_bytes_(window_bytes) {}

  // A new session.
  void Reset();

  // A data frame of the session arrived. From kNext until Deliver the session
  // holds it.
  ReceiveResult Receive(std::uint64_t sequence, std::size_t body_bytes);
  // The frame, or the payload that it completes, goes to the application.
  void Deliver(std::uint64_t sequence);
  // The application has taken a delivered frame, or needs nothing of it, as of a
  // part of a payload. It counts as consumed as soon as all before it is. False:
  // it is not delivered, or taken already.
  bool Consume(std::uint64_t sequence);

  std::uint64_t received_through() const { return received_through_; }
  std::uint64_t consumed_through() const {
    return received_through_ - untaken_.size();
  }
  // Received and not consumed, as charged to the window.
  std::size_t bytes() const { return bytes_; }

 private:
  enum class State : std::uint8_t { kHeld, kDelivered, kTaken };
  struct Untaken {
    std::size_t charge;
    State state;
  };

  Untaken* Find(std::uint64_t sequence, State state);

  const std::size_t window_bytes_;
  // From the first that is not taken to received_through_.
  Ring<Untaken> untaken_;
  std::uint64_t received_through_ = 0;
  std::size_t bytes_ = 0;
  bool gap_reported_ = false;
};

}  // namespace cluster::internal

#endif  // CLUSTER_SESSION_RECEIVE_WINDOW_H_
