#include "cluster/transport/zmq/poll_set.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include "absl/status/status.h"
#include "cluster/base/check.h"

namespace cluster::internal {
namespace zmq_backend {

absl::StatusOr<std::unique_ptr<PollSet>> PollSet::Open() {
  const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) return absl::ErrnoToStatus(errno, "epoll_create1");
  const int wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake_fd < 0) {
    const absl::Status status = absl::ErrnoToStatus(errno, "eventfd");
    close(epoll_fd);
    return status;
  }
  std::unique_ptr<PollSet> set(new PollSet(epoll_fd, wake_fd));
  set->Add(wake_fd, kWakeKey);
  return set;
}

PollSet::PollSet(int epoll_fd, int wake_fd)
    : epoll_fd_(epoll_fd), wake_fd_(wake_fd) {}

PollSet::~PollSet() {
  close(wake_fd_);
  close(epoll_fd_);
}

void PollSet::Add(int fd, Key key) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = static_cast<std::uint64_t>(key);
  const int result = epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event);
  CLUSTER_CHECK(result == 0, "epoll_ctl cannot add a descriptor");
}

void PollSet::Remove(int fd) {
  const int result = epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
  CLUSTER_CHECK(result == 0, "the descriptor is not in the set");
}

void PollSet::Wake() {
  const std::uint64_t one = 1;
  // It can fail only when the counter is full, and then Wait returns anyway.
  (void)!write(wake_fd_, &one, sizeof(one));
}

void PollSet::ClearWake() {
  std::uint64_t count;
  (void)!read(wake_fd_, &count, sizeof(count));
}

absl::Span<const PollSet::Key> PollSet::Wait(int timeout_ms) {
  const int count = epoll_wait(epoll_fd_, events_.data(), kBatch, timeout_ms);
  if (count < 0) {
    CLUSTER_CHECK(errno == EINTR, "epoll_wait failed");
    return {};
  }
  for (int i = 0; i < count; ++i)
    ready_[i] = static_cast<Key>(events_[i].data.u64);
  return absl::MakeConstSpan(ready_.data(), count);
}

}  // namespace zmq_backend
}  // namespace cluster::internal
