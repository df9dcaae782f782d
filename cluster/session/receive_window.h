// ReceiveWindow: which frame of the peer comes next, and how far the
// application is.
//
// What it is: duplicate suppression, gap detection and the two
// acknowledgements. What it is not: a buffer; frames out of order are not kept
// (the sender goes back), those in order are the application's at once.
//
// Threads: none of its own, not thread-safe. Errors: ReceiveResult.

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
  kGapAgain,   // the same, and it has been told
  kOverrun,    // the sender exceeds the window that it was told
};

class ReceiveWindow {
 public:
  explicit ReceiveWindow(std::size_t window_bytes)
      : window_bytes_(window_bytes) {}

  // A new session.
  void Reset();

  // A data frame of the session arrived. From kNext until Deliver or Skip the
  // session holds it, and it counts as not taken, whatever comes after it.
  ReceiveResult Receive(std::uint64_t sequence, std::size_t body_bytes);
  // The frame (or the payload that it completes) goes to the application, who
  // will take it with Consume.
  void Deliver(std::uint64_t sequence);
  // The frame asks nothing of the application (a part of a payload, say): it
  // counts as taken as soon as all before it is, which is what the sender
  // reckons with too.
  void Skip(std::uint64_t sequence);

  // The application has taken what Deliver gave it. False if it has not been
  // given that.
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
  void Take(Untaken* frame);

  const std::size_t window_bytes_;
  // From the first that is not taken to received_through_.
  Ring<Untaken> untaken_;
  std::uint64_t received_through_ = 0;
  std::size_t bytes_ = 0;
  bool gap_told_ = false;
};

}  // namespace cluster::internal

#endif  // CLUSTER_SESSION_RECEIVE_WINDOW_H_
