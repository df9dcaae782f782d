#include "tests/harness/process_resources.h"

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

namespace cluster::internal {
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
  // The count always includes the descriptor of the listing itself.
  resources.descriptors = CountEntries("/proc/self/fd");
  resources.threads = CountEntries("/proc/self/task");
  return resources;
}

std::size_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t pages = 0;
  std::size_t resident_pages = 0;
  statm >> pages >> resident_pages;
  return resident_pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
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

}  // namespace cluster::internal
