// Channel: the connection that one memory transport dials to one peer, with the
// frames that wait in it. Port: the queue of jobs at a transport's end of its
// channels.
//
// A channel is attached to the port of the listener at the address, or to
// nobody. Each attachment is an epoch; its end loses the frames that it did not
// deliver. Without an attachment frames wait for the next one. The exchange
// attaches and detaches; the channel knows no addresses.
//
// Thread-safe. A channel's mutex is held for a few moves of pointers. Channels
// are shared by the dialling transport, the exchange, and jobs in ports.
//
//   auto channel = std::make_shared<Channel>(2, 1, my_port, 4 << 20);
//   channel->Attach(their_port);       // our handler learns it from my_port
//   channel->Push(MakeSlice("hello"));
//   Job job = their_port->Next(/*wait=*/true);

#ifndef CLUSTER_TRANSPORT_MEMORY_CHANNEL_H_
#define CLUSTER_TRANSPORT_MEMORY_CHANNEL_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "cluster/base/mutex.h"
#include "cluster/base/ring.h"
#include "cluster/transport/frame.h"
#include "cluster/transport/transport.h"

namespace cluster::internal {
namespace memory {

class Channel;

struct Job {
  enum class Kind {
    kFrames,    // take them from `channel`
    kWritable,  // for our handler, of `channel`, which we dialled
    kConnected,
    kDisconnected,
    kNothing,
    kClosed,
  };
  Kind kind = Kind::kNothing;
  std::shared_ptr<Channel> channel;
  std::uint64_t epoch = 0;  // of kFrames: the attachment that they belong to
  std::uint64_t generation = 0;  // of kConnected and kDisconnected
  std::string reason;            // of kDisconnected
};

// The queue of jobs for one transport's receiving threads. Frames stay in their
// channel, which bounds them. One thread at a time calls Next.
class Port {
 public:
  Port() = default;
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  // Lost after Close.
  void Post(Job job);

  // The next job, events first. Without `wait` kNothing if there is none; with
  // it, waits for one or for Close, which is kClosed.
  Job Next(bool wait);

  // Lets go of all channels.
  void Close();

 private:
  Mutex mutex_;
  CondVar awake_;
  std::deque<Job> frames_ CLUSTER_GUARDED_BY(mutex_);
  std::deque<Job> events_ CLUSTER_GUARDED_BY(mutex_);
  bool asleep_ CLUSTER_GUARDED_BY(mutex_) = false;
  bool closed_ CLUSTER_GUARDED_BY(mutex_) = false;
};

class Channel : public std::enable_shared_from_this<Channel> {
 public:
  // Posts its events to `sender`. At most `queue_bytes_max` bytes of frames
  // wait in it, with kFrameOverheadBytes for each; a single frame always may.
  Channel(int peer, std::uint64_t generation, std::shared_ptr<Port> sender,
          std::size_t queue_bytes_max);

  static constexpr std::size_t kFrameOverheadBytes = 64;

  int peer() const { return peer_; }
  bool closed() const { return closed_.load(std::memory_order_acquire); }

  // The sender's side. After Close frames are lost.
  SendResult Push(Slice frame);
  // Until all frames are delivered, or nobody listens, or it is `deadline`.
  void WaitUntilIdle(std::chrono::steady_clock::time_point deadline);

  // Takes no more frames and posts no more events. Frames on their way to a
  // receiver still get there, since it is in this process.
  void Part();

  // The exchange's side. Refuse reports an attempt without a listener. Detach
  // does nothing if it is not attached.
  void Attach(std::shared_ptr<Port> receiver);
  void Refuse(absl::string_view reason);
  void Detach(absl::string_view reason);

  // Detaches, and reports another generation from then on.
  void Renew(std::uint64_t generation, absl::string_view reason);
  // Final: drops all frames. The handler must not learn of events that are under
  // way.
  void Close();

  // The receiver's side. Takes some of the frames of an attachment, fewer than
  // there are if they are many; none if it has ended. When they are delivered,
  // Delivered makes room, and posts a job for the rest. Reattach breaks that
  // attachment instead, and makes the next.
  struct Turn {
    std::vector<Slice> frames;
    std::size_t cost = 0;  // bytes of room that they take up
  };
  Turn Take(std::uint64_t epoch);
  void Delivered(std::uint64_t epoch, std::size_t cost);
  void Reattach(std::uint64_t epoch, absl::string_view reason);

 private:
  void AttachLocked(std::shared_ptr<Port> receiver) CLUSTER_REQUIRES(mutex_);
  Ring<Slice> DetachLocked(absl::string_view reason) CLUSTER_REQUIRES(mutex_);
  void ScheduleLocked() CLUSTER_REQUIRES(mutex_);
  void MakeRoomLocked() CLUSTER_REQUIRES(mutex_);
  void PostLocked(Job::Kind kind, absl::string_view reason)
      CLUSTER_REQUIRES(mutex_);

  const int peer_;
  const std::shared_ptr<Port> sender_;
  const std::size_t queue_bytes_max_;
  std::atomic<bool> closed_{false};  // written under the lock

  Mutex mutex_{LockRank::kConnection};
  CondVar idle_;
  std::shared_ptr<Port> receiver_ CLUSTER_GUARDED_BY(mutex_);
  // Of the last Connect.
  std::uint64_t generation_ CLUSTER_GUARDED_BY(mutex_);
  std::uint64_t epoch_ CLUSTER_GUARDED_BY(mutex_) = 0;
  Ring<Slice> queue_ CLUSTER_GUARDED_BY(mutex_);
  // In the queue, and taken but not delivered.
  std::size_t bytes_ CLUSTER_GUARDED_BY(mutex_) = 0;
  // The receiver has a job for us, or is at it.
  bool scheduled_ CLUSTER_GUARDED_BY(mutex_) = false;
  // A kBackPressured was not followed up yet.
  bool owes_write_ CLUSTER_GUARDED_BY(mutex_) = false;
};

}  // namespace memory
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_MEMORY_CHANNEL_H_
