// ReceiveWindow: which frame of the peer comes next, and how far the
// application is.
//
// What it is: duplicate suppression, gap detection and the two
// acknowledgements. What it is not: a buffer; frames out of order are not kept
// (the sender goes back), those in order are the application's at once.
//
// Threads: none of its own, not thread-safe. Errors: ReceiveResult.

#ifndef CLUSTER_LINK_RECEIVE_WINDOW_H_
#define CLUSTER_LINK_RECEIVE_WINDOW_H_

#include <cstddef>
#include <cstdint>

#include "transport/ring.h"

namespace cluster {

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

  // A data frame of the session arrived. After kNext, Deliver or Skip follows.
  ReceiveResult Receive(std::uint64_t sequence, std::size_t body_bytes);
  // The frame (or the payload that it completes) goes to the application, who
  // will take it with Consume.
  void Deliver();
  // The frame asks nothing of the application (a part of a payload, say): it
  // counts as taken as soon as all before it is, which is what the sender
  // reckons with too. True if that is now.
  bool Skip();

  // The application has taken what Deliver gave it, in the same order. False if
  // `sequence` is not the oldest one delivered: it is of an earlier session.
  bool Consume(std::uint64_t sequence);

  std::uint64_t received_through() const { return received_through_; }
  std::uint64_t consumed_through() const {
    return delivered_.empty() ? received_through_
                              : delivered_.front().sequence - 1;
  }
  // Received and not consumed, as charged to the window.
  std::size_t bytes() const { return bytes_; }

 private:
  struct Delivered {
    std::uint64_t sequence;
    std::size_t charge;
    bool skipped;
  };

  const std::size_t window_bytes_;
  Ring<Delivered> delivered_;  // the first one is not skipped
  std::uint64_t received_through_ = 0;
  std::size_t bytes_ = 0;
  std::size_t last_charge_ = 0;
  bool gap_told_ = false;
};

}  // namespace cluster

#endif  // CLUSTER_LINK_RECEIVE_WINDOW_H_
