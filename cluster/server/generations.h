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

#include <cstdint>

namespace cluster {

class Generations {
 public:
  // The name for the next Connect.
  std::uint64_t Draw() { return ++drawn_; }

  // A callback came, or Connect succeeded. False: it is of an earlier
  // generation than one that was heard, or ended.
  bool Hear(std::uint64_t generation) {
    if (generation < oldest_) return false;
    oldest_ = generation;
    return true;
  }

  // Whether a callback of this generation, or of a later one, was heard.
  bool Heard(std::uint64_t generation) const { return oldest_ >= generation; }

  // None that was drawn counts any more.
  void End() { oldest_ = drawn_ + 1; }

 private:
  std::uint64_t drawn_ = 0;
  std::uint64_t oldest_ = 0;  // that counts
};

}  // namespace cluster

#endif  // CLUSTER_SERVER_GENERATIONS_H_
