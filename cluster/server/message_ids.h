// MessageIds: the ids that a server gives to the envelopes it sends.
//
// Each thread takes numbers in blocks from one counter of the server. Touching
// that counter for every envelope would be a tenth of an envelope's cost. So ids
// are unique, and grow within a thread. Between threads they leave gaps, and
// where one thread sends for several servers in turn. Thread-safe.
//
//   MessageIds ids(incarnation);
//   envelope.message_id = ids.Next();

#ifndef CLUSTER_SERVER_MESSAGE_IDS_H_
#define CLUSTER_SERVER_MESSAGE_IDS_H_

#include <atomic>
#include <cstdint>

#include "cluster/envelope.h"

namespace cluster::internal {

class MessageIds {
 public:
  static constexpr std::uint64_t kBlock = 64;

  explicit MessageIds(std::uint64_t incarnation)
      : incarnation_(incarnation),
        owner_(owners_.fetch_add(1, std::memory_order_relaxed) + 1) {}
  MessageIds(const MessageIds&) = delete;
  MessageIds& operator=(const MessageIds&) = delete;

  // Of the ids from now on.
  void SetIncarnation(std::uint64_t incarnation) {
    incarnation_.store(incarnation, std::memory_order_relaxed);
  }

  MessageId Next() {
    Block& block = Mine();
    if (block.owner != owner_ || block.left == 0) {
      block.owner = owner_;
      block.next = taken_.fetch_add(kBlock, std::memory_order_relaxed) + 1;
      block.left = kBlock;
    }
    --block.left;
    return {incarnation_.load(std::memory_order_relaxed), block.next++};
  }

 private:
  struct Block {
    std::uint64_t owner = 0;
    std::uint64_t next = 0;
    std::uint64_t left = 0;
  };
  static Block& Mine() {
    static thread_local Block block;
    return block;
  }

  // Tells one from another at the same address, later.
  inline static std::atomic<std::uint64_t> owners_{0};

  std::atomic<std::uint64_t> incarnation_;
  const std::uint64_t owner_;
  std::atomic<std::uint64_t> taken_{0};
};

}  // namespace cluster::internal

#endif  // CLUSTER_SERVER_MESSAGE_IDS_H_
