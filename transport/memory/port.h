// Port: the queue of jobs for one memory transport's receiving threads.
//
// It holds channels with frames to deliver, and events of the channels that we
// dialled. Frames stay in their channel, which bounds them.
//
// Thread-safe; one thread at a time calls Next. Shared by the transport and by
// the channels that lead to or from it; Close lets go of them all.
//
//   port->Post(job);                          // on the sender's thread
//   Job job = port->Next(/*wait=*/true);      // on the receiver's

#ifndef CLUSTER_TRANSPORT_MEMORY_PORT_H_
#define CLUSTER_TRANSPORT_MEMORY_PORT_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "cluster/base/mutex.h"

namespace cluster::internal {
namespace memory {

class Channel;

struct Job {
  enum class Kind {
    kFrames,        // take them from `channel`
    kWritable,      // tell our handler of `channel`, which we dialled
    kConnected,     // the same
    kDisconnected,  // the same, with `reason`
    kNothing,
    kClosed,
  };
  Kind kind = Kind::kNothing;
  std::shared_ptr<Channel> channel;
  std::uint64_t epoch = 0;  // of kFrames: the attachment that they belong to
  std::uint64_t generation = 0;  // of kConnected and kDisconnected
  std::string reason;
};

class Port {
 public:
  // Frames over `frame_bytes_max` break the channel that they come on.
  explicit Port(std::size_t frame_bytes_max)
      : frame_bytes_max_(frame_bytes_max) {}
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  std::size_t frame_bytes_max() const { return frame_bytes_max_; }

  // Adds a job. Lost after Close.
  void Post(Job job);

  // The next job, events first. Without `wait` kNothing if there is none; with
  // it, waits for one or for Close, which is kClosed.
  Job Next(bool wait);

  void Close();

 private:
  const std::size_t frame_bytes_max_;
  Mutex mutex_;
  CondVar awake_;
  std::deque<Job> frames_ CLUSTER_GUARDED_BY(mutex_);
  std::deque<Job> events_ CLUSTER_GUARDED_BY(mutex_);
  bool asleep_ CLUSTER_GUARDED_BY(mutex_) = false;
  bool closed_ CLUSTER_GUARDED_BY(mutex_) = false;
};

}  // namespace memory
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_MEMORY_PORT_H_
