// Channel: the connection that one memory transport dials to one peer, with the
// frames that wait in it.
//
// A bounded queue, attached to the port of the listener at the address, or to
// nobody. Each attachment is an epoch; its end loses the frames that it did not
// deliver. Without an attachment frames wait for the next one. The exchange
// attaches and detaches; the channel knows no addresses.
//
// Thread-safe. Its mutex is held for a few moves of pointers. Shared by the
// dialling transport, the exchange, and jobs in ports.
//
//   auto channel = std::make_shared<Channel>(2, 1, my_port, 4 << 20);
//   channel->Attach(their_port);       // the handler hears of it by my_port
//   channel->Push(MakeSlice("hello"));

#ifndef CLUSTER_TRANSPORT_MEMORY_CHANNEL_H_
#define CLUSTER_TRANSPORT_MEMORY_CHANNEL_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/strings/string_view.h"
#include "cluster/base/mutex.h"
#include "cluster/base/ring.h"
#include "cluster/transport/frame.h"
#include "cluster/transport/memory/port.h"
#include "cluster/transport/transport.h"

namespace cluster::internal {
namespace memory {

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
  // does nothing if it is not attached. Close is final: it drops all frames,
  // and the handler must not hear of events that are under way.
  void Attach(std::shared_ptr<Port> receiver);
  void Refuse(absl::string_view reason);
  void Detach(absl::string_view reason);
  // Detaches, and reports another generation from then on.
  void Renew(std::uint64_t generation, absl::string_view reason);
  // Only if that attachment stands; returns the port that it led to, or null.
  std::shared_ptr<Port> DetachFrom(std::uint64_t epoch,
                                   absl::string_view reason);
  void Close();

  // The receiver's side. Takes some of the frames of an attachment, fewer than
  // there are if they are many; none if it has ended. When they are delivered,
  // Delivered makes room, and posts a job for the rest.
  struct Turn {
    std::vector<Slice> frames;
    std::size_t cost = 0;  // bytes of room that they take up
  };
  Turn Take(std::uint64_t epoch);
  void Delivered(std::uint64_t epoch, std::size_t cost);

 private:
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
