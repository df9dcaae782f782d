#include "cluster/base/buffer_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

namespace cluster {

namespace {

// Blocks from here on come from the system, and go back to it whole. Each thread
// has its own arena of the allocator. Blocks that one thread takes and another
// gives back leave holes in it. With a dozen threads, the arenas grew to three
// times what was in use.
constexpr std::size_t kMappedBytesMin = 64u << 10;

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kMaps = false;  // it watches only what malloc gives
#else
constexpr bool kMaps = true;
#endif

bool IsMapped(std::size_t bytes) { return kMaps && bytes >= kMappedBytesMin; }

// A page that is never written costs no memory, in either case.
void* TakeFromSystem(std::size_t bytes) {
  if (!IsMapped(bytes)) return ::operator new(bytes, std::nothrow);
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

void GiveToSystem(void* memory, std::size_t bytes) {
  if (IsMapped(bytes)) {
    munmap(memory, bytes);
  } else {
    ::operator delete(memory);
  }
}

}  // namespace

BufferPool::~BufferPool() {
  for (const FreeList& list : free_) FreeAll(list.first);
}

void BufferPool::FreeAll(Block* first) {
  while (first != nullptr) {
    Block* const block = std::exchange(first, first->next);
    const std::size_t bytes = sizeof(Block) + BytesOf(block->size_class);
    block->~Block();
    GiveToSystem(block, bytes);
  }
}

// The smallest class that holds so many.
std::size_t BufferPool::ClassOf(std::size_t bytes) {
  constexpr std::size_t kLeastBits = 6;
  const std::size_t wanted = std::max<std::size_t>(bytes, 1u << kLeastBits);
  // 2^bits <= wanted - 1 < 2^(bits + 1)
  const auto bits = static_cast<std::size_t>(
      63 - __builtin_clzll(static_cast<unsigned long long>(wanted - 1)));
  const std::size_t quarters_above = ((wanted - 1) >> (bits - 2)) - 4 + 1;
  return 4 * bits + quarters_above;
}

std::size_t BufferPool::BytesOf(std::size_t size_class) {
  const std::size_t power = std::size_t{1} << (size_class / 4);
  return power + power / 4 * (size_class % 4);
}

void* BufferPool::Take(std::size_t bytes) {
  const std::size_t size_class = ClassOf(bytes);
  {
    internal::MutexLock lock(&mutex_);
    // The latest first: its bytes are likely to be in a cache still.
    if (free_[size_class].first != nullptr) return Pop(size_class) + 1;
  }
  void* const memory = TakeFromSystem(sizeof(Block) + BytesOf(size_class));
  if (memory == nullptr) throw std::bad_alloc();
  return new (memory) Block{size_class, nullptr} + 1;
}

BufferPool::Block* BufferPool::Pop(std::size_t size_class) {
  FreeList& list = free_[size_class];
  list.bytes -= BytesOf(size_class);
  list.least_bytes = std::min(list.least_bytes, list.bytes);
  free_bytes_ -= BytesOf(size_class);
  return std::exchange(list.first, list.first->next);
}

void BufferPool::GiveBack(void* memory) {
  Block* const block = static_cast<Block*>(memory) - 1;
  const std::size_t size_class = block->size_class;
  Block* surplus = nullptr;
  {
    internal::MutexLock lock(&mutex_);
    FreeList& list = free_[size_class];
    block->next = std::exchange(list.first, block);
    list.bytes += BytesOf(size_class);
    free_bytes_ += BytesOf(size_class);
    // After a change of sizes, nobody takes from the list that is longest.
    while (free_bytes_ > free_bytes_max_) {
      auto* const longest = std::max_element(
          free_.begin(), free_.end(), [](const FreeList& a, const FreeList& b) {
            return a.bytes < b.bytes;
          });
      Block* const dropped =
          Pop(static_cast<std::size_t>(longest - free_.begin()));
      dropped->next = std::exchange(surplus, dropped);
    }
  }
  FreeAll(surplus);
}

void BufferPool::Trim() {
  Block* unused = nullptr;
  {
    internal::MutexLock lock(&mutex_);
    for (std::size_t size_class = 0; size_class < kClasses; ++size_class) {
      FreeList& list = free_[size_class];
      const std::size_t kept = list.bytes - list.least_bytes;
      while (list.bytes > kept) {
        Block* const block = Pop(size_class);
        block->next = std::exchange(unused, block);
      }
      list.least_bytes = list.bytes;
    }
  }
  FreeAll(unused);
}

// One block for the bytes and for what counts their shares.
std::shared_ptr<char> BufferPool::Lend(std::size_t bytes) {
  struct alignas(std::max_align_t) Begin {};
  auto begin =
      std::allocate_shared<Begin>(Allocator<Begin>(shared_from_this(), bytes));
  char* const first = reinterpret_cast<char*>(begin.get());
  return std::shared_ptr<char>(begin, first);
}

std::size_t BufferPool::free_bytes() const {
  internal::MutexLock lock(&mutex_);
  return free_bytes_;
}

}  // namespace cluster
