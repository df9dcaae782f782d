// PollSet: the descriptors that the events' thread sleeps on, by epoll, and a
// way to wake it.
//
// Each descriptor has a key that tells the reader where to look. PollSet does
// not own descriptors: remove one before its socket is closed. Wait may still
// return its key after that, so the reader must bear a stale key.
//
// Wait and ClearWake belong to one thread at a time; call the rest from any.
// Open answers kResourceExhausted when no descriptors are left.
//
//   absl::StatusOr<std::unique_ptr<PollSet>> set = PollSet::Open();
//   (*set)->Add(fd, 7);
//   for (PollSet::Key key : (*set)->Wait(-1)) ...

#ifndef CLUSTER_TRANSPORT_ZMQ_POLL_SET_H_
#define CLUSTER_TRANSPORT_ZMQ_POLL_SET_H_

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace cluster::internal {
namespace zmq_backend {

class PollSet {
 public:
  using Key = std::int64_t;  // a peer's id, or one of these
  static constexpr Key kWakeKey = Key{1} << 32;
  static constexpr Key kInboundKey = kWakeKey + 1;

  static absl::StatusOr<std::unique_ptr<PollSet>> Open();
  PollSet(const PollSet&) = delete;
  PollSet& operator=(const PollSet&) = delete;
  ~PollSet();

  // Reports `key` as long as `fd` is readable.
  void Add(int fd, Key key);
  void Remove(int fd);

  // Makes Wait return kWakeKey until ClearWake.
  void Wake();
  void ClearWake();

  // Waits for at most `timeout_ms` (-1: for ever), also less when a signal
  // interrupts. The result is valid until the next call.
  absl::Span<const Key> Wait(int timeout_ms);

 private:
  PollSet(int epoll_fd, int wake_fd);

  static constexpr int kBatch = 64;

  const int epoll_fd_;
  const int wake_fd_;
  std::array<epoll_event, kBatch> events_;
  std::array<Key, kBatch> ready_;
};

}  // namespace zmq_backend
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_ZMQ_POLL_SET_H_
