// FlightLimit: how many bytes in transit keep a long line busy.
//
// A line holds its rate times its least round trip. Twice that may be in
// transit, so that the sender also finds out when the line takes more. The rate
// is measured as BBR does (draft-cardwell-iccrg-bbr-congestion-control): what
// arrives between a frame's departure and its acknowledgement, the most of ten
// round trips. For the round trip one frame at a time is timed.
//
// Frames that queue before a slow line make it look long. So while the least
// round trip is recent, only a lower one counts. Once it is old, so does that of
// a frame which left with nothing in transit. In a stream without a pause
// `draining` asks for such a frame.
//
// Not thread-safe; the caller has the clock.
//
//   if (asks) limit.OnSent(sequence, /*alone=*/inflight_bytes == 0, now);
//   if (auto round_trip = limit.OnReceived(through, frame, bytes, now)) ...
//   if (inflight_bytes + next_bytes <= limit.bytes()) Send(next);

#ifndef CLUSTER_SESSION_FLIGHT_LIMIT_H_
#define CLUSTER_SESSION_FLIGHT_LIMIT_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"
#include "absl/types/optional.h"

namespace cluster::internal {

class FlightLimit {
 public:
  // When a frame left.
  struct Departure {
    std::uint64_t received_bytes = 0;  // by the peer until then
    // When those were acknowledged, or the first of what is in transit left.
    absl::Time since;
  };

  // The least round trip is that of so long a time.
  explicit FlightLimit(absl::Duration memory) : memory_(memory) {}

  // A frame leaves for the first time, and asks for an acknowledgement. The
  // sequence is not 0. `alone`: nothing is in transit before it.
  void OnSent(std::uint64_t sequence, bool alone, absl::Time now);
  // The peer has received all through the sequence, whose frame left as `frame`
  // says, and so many bytes in all. Returns the round trip, if the timed frame
  // is among that.
  absl::optional<absl::Duration> OnReceived(std::uint64_t sequence,
                                            const Departure& frame,
                                            std::uint64_t received_bytes,
                                            absl::Time now);
  // The frame did not leave after all.
  void OnNotSent(std::uint64_t sequence);
  // The timed frame may be lost.
  void Forget();
  // The line is another one.
  void Reset() { *this = FlightLimit(memory_); }

  // 0: not known.
  std::size_t bytes() const { return bytes_; }
  // Whether a frame that leaves with nothing in transit should ask for an
  // acknowledgement.
  bool Asks(absl::Time now) const { return now - least_at_ > memory_; }
  // Whether the next frame should wait until nothing is in transit.
  bool draining() const { return draining_; }

 private:
  // A rate counts for so many round trips.
  static constexpr std::size_t kRounds = 10;

  absl::optional<absl::Duration> RoundTrip(std::uint64_t sequence,
                                           absl::Time now);

  absl::Duration memory_;
  std::uint64_t timed_ = 0;  // a sequence; 0: none
  bool timed_alone_ = false;
  absl::Time sent_at_;
  // The highest of each round trip, in bytes per second.
  std::array<double, kRounds> rates_{};
  std::size_t round_ = 0;
  std::uint64_t round_end_bytes_ = 0;  // in which frames left before these
  absl::Duration least_;
  absl::Time least_at_ = absl::InfinitePast();  // not known
  std::size_t bytes_ = 0;
  bool draining_ = false;
};

}  // namespace cluster::internal

#endif  // CLUSTER_SESSION_FLIGHT_LIMIT_H_
