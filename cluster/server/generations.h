// Which callbacks of the transport still count for a peer.
//
// A peer names each Connect by a generation, and the transport's callbacks
// repeat it. One of an earlier Connect may come late, after the peer was
// removed or dialled anew; taken for one of today it would leave the peer
// unconnected for good. A Connect that fails changes nothing. The owner's lock
// guards it.
//
//   const std::uint64_t generation = generations.Draw();
//   transport->Connect(2, address, generation);
//   ...
//   if (!generations.Hear(generation)) return;   // in a callback: too late

#ifndef CLUSTER_SERVER_GENERATIONS_H_
#define CLUSTER_SERVER_GENERATIONS_H_

#include <atomic>
#include <cstdint>

namespace cluster::internal {

class Generations {
 public:
  // The name for the next Connect.
  std::uint64_t Draw() {
    return drawn_.fetch_add(1, std::memory_order_relaxed) + 1;
  }

  // A callback came, or Connect succeeded. False: it is of an earlier
  // generation than one that was heard, or ended.
  bool Hear(std::uint64_t generation) {
    if (generation < oldest_) return false;
    oldest_ = generation;
    return true;
  }

  // Whether a callback of this generation, or of a later one, was heard.
  bool Heard(std::uint64_t generation) const { return oldest_ >= generation; }

  // None that was drawn counts any more, whoever drew it: one id is served by
  // another object in its next membership.
  void End() { oldest_ = drawn_.load(std::memory_order_relaxed) + 1; }

 private:
  static inline std::atomic<std::uint64_t> drawn_{0};
  std::uint64_t oldest_ = drawn_.load(std::memory_order_relaxed) + 1;
};

}  // namespace cluster::internal

#endif  // CLUSTER_SERVER_GENERATIONS_H_
