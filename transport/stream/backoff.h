// The delay before a peer is dialled again. It doubles up to a cap, with jitter,
// so that not all peers dial a returning server at once. Not thread-safe.

#ifndef CLUSTER_TRANSPORT_STREAM_BACKOFF_H_
#define CLUSTER_TRANSPORT_STREAM_BACKOFF_H_

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>
#include <utility>

namespace cluster::internal {
namespace stream {

class Backoff {
 public:
  using Clock = std::chrono::steady_clock;

  static constexpr std::chrono::milliseconds kDelayMin{20};
  static constexpr std::chrono::milliseconds kDelayMax{1000};

  Backoff() : delay_(kDelayMin), random_(std::random_device()()) {}

  void Reset() { delay_ = kDelayMin; }
  // Goes to the cap.
  void Slow() { delay_ = kDelayMax; }

  // Between half of the current delay and all of it, at random; doubles it.
  Clock::duration NextDelay() {
    const auto most =
        std::chrono::duration_cast<std::chrono::microseconds>(std::exchange(
            delay_, std::min<Clock::duration>(2 * delay_, kDelayMax)));
    std::uniform_int_distribution<std::int64_t> delay_us(most.count() / 2,
                                                         most.count());
    return std::chrono::microseconds(delay_us(random_));
  }

 private:
  Clock::duration delay_;
  std::minstd_rand random_;
};

}  // namespace stream
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_STREAM_BACKOFF_H_
