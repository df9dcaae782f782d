#include "cluster/session/flight_limit.h"

#include <algorithm>

namespace cluster::internal {
namespace {

// More than any window.
constexpr double kBytesMost = 1e12;

// With less in transit than this part of the limit, an application has not tried
// what the line takes.
constexpr std::size_t kBusyPart = 4;

}  // namespace

void FlightLimit::OnSent(std::uint64_t sequence, bool alone, absl::Time now) {
  if (alone) draining_ = false;
  if (timed_ != 0) return;
  timed_ = sequence;
  timed_alone_ = alone;
  sent_at_ = now;
}

absl::optional<absl::Duration> FlightLimit::RoundTrip(std::uint64_t sequence,
                                                      absl::Time now) {
  if (timed_ == 0 || sequence < timed_) return absl::nullopt;
  timed_ = 0;
  const absl::Duration round_trip = now - sent_at_;
  if (round_trip <= least_ || (Asks(now) && timed_alone_)) {
    least_ = round_trip;
    least_at_ = now;
  } else if (Asks(now)) {
    draining_ = true;
  }
  return round_trip;
}

absl::optional<absl::Duration> FlightLimit::OnReceived(
    std::uint64_t sequence, const Departure& frame,
    std::uint64_t received_bytes, absl::Time now) {
  const absl::optional<absl::Duration> round_trip = RoundTrip(sequence, now);
  const double seconds = absl::ToDoubleSeconds(now - frame.since);
  if (seconds <= 0) return round_trip;
  const std::uint64_t bytes = received_bytes - frame.received_bytes;
  const double rate = static_cast<double>(bytes) / seconds;
  double most = *std::max_element(rates_.begin(), rates_.end());
  if (rate >= most || bytes >= bytes_ / kBusyPart) {
    if (frame.received_bytes >= round_end_bytes_) {
      round_end_bytes_ = received_bytes;
      round_ = (round_ + 1) % kRounds;
      rates_[round_] = 0;
    }
    rates_[round_] = std::max(rates_[round_], rate);
    most = *std::max_element(rates_.begin(), rates_.end());
  }
  bytes_ = static_cast<std::size_t>(
      std::min(2 * most * absl::ToDoubleSeconds(least_), kBytesMost));
  return round_trip;
}

void FlightLimit::OnNotSent(std::uint64_t sequence) {
  if (timed_ == sequence) timed_ = 0;
}

void FlightLimit::Forget() {
  timed_ = 0;
  draining_ = false;
}

}  // namespace cluster::internal
