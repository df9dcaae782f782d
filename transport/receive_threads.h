// The two threads on which a transport receives.
//
// One of them runs the transport's turn, and OnDrained after each turn that
// delivered frames. While OnDrained blocks in user code, the other one takes over
// within about 100 ms. One thread at a time is inside the turn, so what only the
// turn touches needs no lock.
//
// Call Start and Stop from any thread but these two. Start answers
// kResourceExhausted if the process can have no more threads; call Stop then
// too. The handler is borrowed until Stop has returned.
//
//   status = threads_.Start(handler, [this] { return Receive(); });
//   threads_.Stop([this] { WakeReceive(); });

#ifndef CLUSTER_TRANSPORT_RECEIVE_THREADS_H_
#define CLUSTER_TRANSPORT_RECEIVE_THREADS_H_

#include <array>
#include <functional>
#include <thread>

#include "absl/status/status.h"
#include "cluster/base/mutex.h"
#include "cluster/export.h"
#include "cluster/transport/relief.h"
#include "cluster/transport/transport.h"

namespace cluster {

class CLUSTER_EXPORT ReceiveThreads {
 public:
  ReceiveThreads() = default;
  ReceiveThreads(const ReceiveThreads&) = delete;
  ReceiveThreads& operator=(const ReceiveThreads&) = delete;
  ~ReceiveThreads();  // stops

  // Once. `turn` waits for something to do and does it, for about a millisecond
  // at most; it returns whether it called OnFrame.
  absl::Status Start(TransportHandler* handler, std::function<bool()> turn);

  // Ends both threads, once the callbacks that run have returned. `wake` makes a
  // turn that waits return. Idempotent, and safe from several threads.
  void Stop(const std::function<void()>& wake);

 private:
  void Run();

  TransportHandler* handler_ = nullptr;
  std::function<bool()> turn_;
  Relief relief_;
  internal::Mutex threads_mutex_{internal::LockRank::kReceiveThreads};
  std::array<std::thread, 2> threads_ CLUSTER_GUARDED_BY(threads_mutex_);
};

}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_RECEIVE_THREADS_H_
