#include "cluster/base/testing/failing_allocations.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>

namespace cluster::internal {
namespace {

struct Account {
  int left = 0;  // allocations until the one that fails; 0: none fails
  bool rest = false;
  bool failed = false;
};
thread_local Account account;

bool IsOfLibzmq(const void* caller) {
  Dl_info object;
  return dladdr(caller, &object) != 0 && object.dli_fname != nullptr &&
         std::strstr(object.dli_fname, "libzmq") != nullptr;
}

bool Fails(const void* caller) {
  if (account.left == 0 || IsOfLibzmq(caller)) return false;
  if (account.left > 1) {
    --account.left;
    return false;
  }
  account.failed = true;
  if (!account.rest) account.left = 0;
  return true;
}

void* New(std::size_t bytes, const void* caller) {
  return Fails(caller) ? nullptr : std::malloc(bytes == 0 ? 1 : bytes);
}

void* NewAligned(std::size_t bytes, std::align_val_t alignment,
                 const void* caller) {
  if (Fails(caller)) return nullptr;
  const auto unit = static_cast<std::size_t>(alignment);
  return std::aligned_alloc(unit, (bytes + unit - 1) / unit * unit);
}

void* OrThrow(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

FailingAllocations::FailingAllocations(int nth, Which which) {
  account = {nth, which == kRest, false};
}

FailingAllocations::~FailingAllocations() { account = {}; }

bool FailingAllocations::failed() const { return account.failed; }

}  // namespace cluster::internal

// Each sees its own caller.
#define CLUSTER_CALLER __builtin_return_address(0)

void* operator new(std::size_t bytes) {
  return cluster::internal::OrThrow(
      cluster::internal::New(bytes, CLUSTER_CALLER));
}
void* operator new[](std::size_t bytes) {
  return cluster::internal::OrThrow(
      cluster::internal::New(bytes, CLUSTER_CALLER));
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return cluster::internal::New(bytes, CLUSTER_CALLER);
}
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept {
  return cluster::internal::New(bytes, CLUSTER_CALLER);
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return cluster::internal::OrThrow(
      cluster::internal::NewAligned(bytes, alignment, CLUSTER_CALLER));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return cluster::internal::OrThrow(
      cluster::internal::NewAligned(bytes, alignment, CLUSTER_CALLER));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, const std::nothrow_t&) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, const std::nothrow_t&) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

// BufferPool takes large blocks with it. The C library's allocator calls its own.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name)
extern "C" void* mmap(void* address, std::size_t bytes, int protection,
                      int flags, int fd, off_t offset) noexcept {
  if (fd < 0 && cluster::internal::Fails(CLUSTER_CALLER)) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  // NOLINTNEXTLINE(performance-no-int-to-ptr)
  return reinterpret_cast<void*>(
      syscall(SYS_mmap, address, bytes, protection, flags, fd, offset));
}
#endif
