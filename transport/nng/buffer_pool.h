// BufferPool: memory that streams are read into, handed out with shared
// ownership and taken back when the last share is dropped.
//
// What it is: a short free list, so that a busy stream does not go to malloc
// (and, for buffers this large, to the kernel) for each buffer. The bytes are
// not cleared.
// What it is not: a bound on the memory lent; who lends long is bounded above.
//
// Threads: Lend, and dropping the last share, on any thread. Ownership: a
// buffer keeps the pool alive. Errors: std::bad_alloc.
//
//   auto pool = std::make_shared<BufferPool>();
//   std::shared_ptr<char> buffer = pool->Lend(65536);

#ifndef TRANSPORT_NNG_BUFFER_POOL_H_
#define TRANSPORT_NNG_BUFFER_POOL_H_

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace cluster {
namespace nng {

class BufferPool : public std::enable_shared_from_this<BufferPool> {
 public:
  // What the free list keeps at most, together.
  static constexpr std::size_t kFreeBytesMax = 2u << 20;

  BufferPool() = default;
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  // At least `bytes` bytes.
  std::shared_ptr<char> Lend(std::size_t bytes);

  // Of the free list.
  std::size_t free_bytes() const;

 private:
  struct Block {
    std::unique_ptr<char[]> memory;
    std::size_t bytes = 0;
  };

  Block Take(std::size_t bytes);
  void GiveBack(Block block);

  mutable std::mutex mutex_;
  std::vector<Block> free_;     // guarded by mutex_
  std::size_t free_bytes_ = 0;  // guarded by mutex_
};

}  // namespace nng
}  // namespace cluster

#endif  // TRANSPORT_NNG_BUFFER_POOL_H_
