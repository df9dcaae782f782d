// BufferPool: reuses the memory of frames, so that a steady flow of them
// allocates nothing.
//
// It keeps free lists by size, for buffers with shared ownership (Lend) and for
// std::allocate_shared (For). The bytes are not cleared. The free lists keep at
// most `free_bytes_max` together; Trim frees what was not wanted lately. A
// block is up to a quarter larger than requested. Lent memory has no bound
// here; its users bound it.
//
// Thread-safe, also for dropping the last share. Lent memory keeps the pool
// alive. Throws std::bad_alloc.
//
//   auto pool = std::make_shared<BufferPool>();
//   std::shared_ptr<char> buffer = pool->Lend(65536);
//   auto loan = std::allocate_shared<Loan>(pool->For<Loan>(), slice);

#ifndef CLUSTER_BASE_BUFFER_POOL_H_
#define CLUSTER_BASE_BUFFER_POOL_H_

#include <array>
#include <cstddef>
#include <memory>
#include <utility>

#include "cluster/base/mutex.h"
#include "cluster/export.h"

namespace cluster {

class CLUSTER_EXPORT BufferPool
    : public std::enable_shared_from_this<BufferPool> {
 public:
  static constexpr std::size_t kFreeBytesMax = 4u << 20;

  // Takes memory from the pool and gives it back, for std::allocate_shared.
  template <typename T>
  class Allocator {
   public:
    using value_type = T;

    // With `room_bytes` more behind it.
    explicit Allocator(std::shared_ptr<BufferPool> pool,
                       std::size_t room_bytes = 0)
        : pool_(std::move(pool)), room_bytes_(room_bytes) {}
    template <typename Other>
    Allocator(const Allocator<Other>& other)  // NOLINT: as the standard has it
        : pool_(other.pool()), room_bytes_(other.room_bytes()) {}

    T* allocate(std::size_t count) {
      static_assert(alignof(T) <= alignof(std::max_align_t), "over-aligned");
      return static_cast<T*>(pool_->Take(count * sizeof(T) + room_bytes_));
    }
    void deallocate(T* memory, std::size_t /*count*/) {
      pool_->GiveBack(memory);
    }

    const std::shared_ptr<BufferPool>& pool() const { return pool_; }
    std::size_t room_bytes() const { return room_bytes_; }

    friend bool operator==(const Allocator& a, const Allocator& b) {
      return a.pool_ == b.pool_;
    }
    friend bool operator!=(const Allocator& a, const Allocator& b) {
      return !(a == b);
    }

   private:
    std::shared_ptr<BufferPool> pool_;
    std::size_t room_bytes_;
  };

  explicit BufferPool(std::size_t free_bytes_max = kFreeBytesMax)
      : free_bytes_max_(free_bytes_max) {}
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool();

  // At least `bytes` bytes.
  std::shared_ptr<char> Lend(std::size_t bytes);

  template <typename T>
  Allocator<T> For() {
    return Allocator<T>(shared_from_this());
  }

  // Frees as much as was unused ever since the last Trim. Called now and then,
  // it lets a burst have its memory and an idle pool have none.
  void Trim();

  // Of the free lists.
  std::size_t free_bytes() const;

 private:
  // Stands in front of each block's bytes.
  struct alignas(std::max_align_t) Block {
    std::size_t size_class;
    Block* next;  // in its free list
  };
  struct FreeList {
    Block* first = nullptr;
    std::size_t bytes = 0;
    std::size_t least_bytes = 0;  // since the last Trim
  };
  // Sizes are 2^k and 1.25, 1.5 and 1.75 times that: a frame of the usual 64
  // KiB and its header waste little.
  static constexpr std::size_t kClasses = 256;

  static std::size_t ClassOf(std::size_t bytes);
  static std::size_t BytesOf(std::size_t size_class);

  void* Take(std::size_t bytes);
  void GiveBack(void* memory);
  Block* Pop(std::size_t size_class) CLUSTER_REQUIRES(mutex_);
  static void FreeAll(Block* first);

  const std::size_t free_bytes_max_;
  mutable internal::Mutex mutex_;
  std::array<FreeList, kClasses> free_ CLUSTER_GUARDED_BY(mutex_){};
  std::size_t free_bytes_ CLUSTER_GUARDED_BY(mutex_) = 0;
};

}  // namespace cluster

#endif  // CLUSTER_BASE_BUFFER_POOL_H_
