// Staging: where the envelopes for one busy peer gather.
//
// What it is: the open batch behind the peer's queue, with a lock of its own
// that is held over the encoding of an envelope and nothing else. So who sends
// to a busy peer neither waits for the lock under which frames are summed and
// handed to the transport, nor makes an acknowledgement wait. What it is not: a
// queue; it holds less than a frame, and only while the queue has room for it.
//
// Order: what is staged comes behind all that is in the queue. Whoever holds
// the peer's lock takes it from here before anything else is appended to the
// lane, and closes the staging when the peer could transmit.
//
// Threads: Append, open and waiting are safe on any thread; the rest is called
// under the peer's lock, which comes before this one. Errors: Append's result.
//
//   if (staging.Append(envelope) == Staging::Result::kTaken) return;
//   std::lock_guard<std::mutex> lock(peer_mutex);
//   if (staging.Take(&staged)) link.AppendStaged(&staged);

#ifndef CLUSTER_SERVER_STAGING_H_
#define CLUSTER_SERVER_STAGING_H_

#include <atomic>
#include <cstddef>
#include <mutex>
#include <thread>

#include "absl/base/optimization.h"
#include "cluster/envelope.h"
#include "cluster/session/link_config.h"
#include "cluster/session/open_batch.h"
#include "cluster/stats.h"

namespace cluster {

class Staging {
 public:
  enum class Result {
    kTaken,
    kFilled,   // taken, and nothing more fits: it should go to the queue
    kNoRoom,   // what is staged fills a frame already
    kRefused,  // closed, or an envelope that is not staged
  };

  // The config outlives it.
  explicit Staging(const LinkConfig& config);
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  // `peer`: the member that the envelope is for; kRefused for another one than
  // is served.
  Result Append(int peer, const EnvelopeView& envelope);

  bool open() const { return open_.load(std::memory_order_acquire); }
  // Whether something is staged. What a thread staged before it takes the
  // peer's lock is seen under it.
  bool waiting() const { return waiting_.load(std::memory_order_acquire); }

  // From now on for this member. It is closed.
  void Serve(int peer);
  void Open();
  // Exchanges what is staged for `staged`, which is empty and may have a buffer
  // for what comes next. False: nothing was staged.
  bool Take(OpenBatch* staged);
  // The same, and nothing is staged any more until Open. Keeps no buffer.
  bool Close(OpenBatch* staged);

  // Adds what is staged to what was accepted and is queued.
  void AddTo(PeerStats* stats) const;

 private:
  std::unique_lock<std::mutex> Lock();

  const LinkConfig& config_;
  const std::size_t gathered_bytes_max_;

  // Away from what whoever holds the peer's lock writes.
  alignas(64) mutable std::mutex mutex_;  // guards the rest; the atomics are
                                          // read without it
  std::atomic<bool> open_{false};
  std::atomic<bool> waiting_{false};
  int peer_;
  OpenBatch batch_;
};

// The lock is held for some hundred instructions. Who finds it taken lets other
// threads run first: where there are more of them than processors, that is of
// more use than to sleep at once, which costs the holder a system call too.
// With four threads that send to one peer on two processors it was a tenth of
// all CPU time.
inline std::unique_lock<std::mutex> Staging::Lock() {
  std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
  if (ABSL_PREDICT_TRUE(lock.owns_lock())) return lock;
  std::this_thread::yield();
  lock.lock();
  return lock;
}

// Here, since every envelope for a busy peer is through it.
inline Staging::Result Staging::Append(int peer, const EnvelopeView& envelope) {
  if (!open() || !MayGather(envelope, gathered_bytes_max_))
    return Result::kRefused;
  const std::size_t bytes_max = config_.codec->RecordBytesMax(envelope);
  const std::unique_lock<std::mutex> lock = Lock();
  if (!open() || peer != peer_) return Result::kRefused;
  if (!batch_.Fits(bytes_max))
    return batch_.empty() ? Result::kRefused : Result::kNoRoom;
  const bool first = batch_.empty();
  batch_.Append(envelope, bytes_max);
  if (first) waiting_.store(true, std::memory_order_release);
  return batch_.full() ? Result::kFilled : Result::kTaken;
}

}  // namespace cluster

#endif  // CLUSTER_SERVER_STAGING_H_
