#include "tests/harness/process_resources.h"

#include <chrono>
#include <filesystem>
#include <iterator>
#include <thread>

namespace cluster {
namespace {

constexpr std::chrono::seconds kPatience{30};

std::size_t CountEntries(const char* folder) {
  namespace fs = std::filesystem;
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

}  // namespace

ProcessResources CountResources() {
  ProcessResources resources;
  // The listing itself takes a descriptor, always.
  resources.descriptors = CountEntries("/proc/self/fd");
  resources.threads = CountEntries("/proc/self/task");
  return resources;
}

std::ostream& operator<<(std::ostream& out, const ProcessResources& resources) {
  return out << resources.descriptors << " descriptors, " << resources.threads
             << " threads";
}

bool WaitForResources(const ProcessResources& most) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (true) {
    const ProcessResources now = CountResources();
    if (now.descriptors <= most.descriptors && now.threads <= most.threads)
      return true;
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
}

}  // namespace cluster
