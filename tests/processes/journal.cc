#include "tests/processes/journal.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cluster/base/check.h"

namespace cluster::internal {

Journal::Journal(const std::string& path) {
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  CLUSTER_CHECK(file >= 0, path.c_str());
  CLUSTER_CHECK(ftruncate(file, sizeof(JournalPage)) == 0, path.c_str());
  void* const mapped = mmap(nullptr, sizeof(JournalPage),
                            PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  CLUSTER_CHECK(mapped != MAP_FAILED, path.c_str());
  close(file);
  // Zeros are valid atomics here, and the other process may be counting.
  page_ = static_cast<JournalPage*>(mapped);
}

Journal::~Journal() { munmap(page_, sizeof(JournalPage)); }

}  // namespace cluster::internal
