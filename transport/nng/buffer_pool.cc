#include "transport/nng/buffer_pool.h"

#include <utility>

namespace cluster {
namespace nng {

std::shared_ptr<char> BufferPool::Lend(std::size_t bytes) {
  Block block = Take(bytes);
  char* memory = block.memory.get();
  const std::size_t held = block.bytes;
  std::shared_ptr<char> buffer(
      memory, [pool = shared_from_this(), held](char* returned) {
        pool->GiveBack(Block{std::unique_ptr<char[]>(returned), held});
      });
  block.memory.release();
  return buffer;
}

BufferPool::Block BufferPool::Take(std::size_t bytes) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    // The latest first: its bytes are likely to be in a cache still.
    for (auto it = free_.rbegin(); it != free_.rend(); ++it) {
      if (it->bytes < bytes || it->bytes > 2 * bytes) continue;
      Block block = std::move(*it);
      free_.erase(std::next(it).base());
      free_bytes_ -= block.bytes;
      return block;
    }
  }
  return Block{std::unique_ptr<char[]>(new char[bytes]), bytes};
}

void BufferPool::GiveBack(Block block) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (block.bytes > kFreeBytesMax) return;
  free_bytes_ += block.bytes;
  free_.push_back(std::move(block));
  // The oldest go first: after a change of sizes nobody takes them any more.
  std::size_t dropped = 0;
  while (free_bytes_ > kFreeBytesMax) free_bytes_ -= free_[dropped++].bytes;
  free_.erase(free_.begin(), free_.begin() + dropped);
}

std::size_t BufferPool::free_bytes() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return free_bytes_;
}

}  // namespace nng
}  // namespace cluster
