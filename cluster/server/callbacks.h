// Runs the user's handlers, one at a time: on the transport's receiving thread
// where that is at hand, else on a thread of its own.
//
// With an OnEnvelope handler it is the inbox's reader, and runs that and
// OnPeerEvent's in the inbox's order. Without one it reports events as soon as
// they come. Fates come before both. Without both handlers events wait in the inbox for
// ReceiveAny; Receive passes them over.
//
// Thread-safe, but for the setters, which come before Start. No lock is held
// over user code. A handler that throws ends the process with a text, and so
// does one that returns in a child that it forked.

#ifndef CLUSTER_SERVER_CALLBACKS_H_
#define CLUSTER_SERVER_CALLBACKS_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "cluster/base/mutex.h"
#include "cluster/envelope.h"
#include "cluster/fate.h"
#include "cluster/peer_event.h"
#include "cluster/server/inbox.h"
#include "cluster/session/event_ration.h"

namespace cluster::internal {

class Callbacks final : public FateSink {
 public:
  // A handler that runs for longer than `slow` is slow; 0: none is.
  explicit Callbacks(Inbox* inbox, absl::Duration slow = absl::ZeroDuration())
      : inbox_(inbox), slow_ns_(absl::ToInt64Nanoseconds(slow)) {}
  ~Callbacks() override { Stop(); }

  void SetEnvelopeHandler(std::function<void(const EnvelopeView&)> handler);
  void SetEventHandler(std::function<void(const PeerEvent&)> handler);
  void SetFateHandler(std::function<void(const Fate&)> handler);
  void SetStrangerHandler(std::function<void(const Stranger&)> handler);
  // Decides who takes events; the setters do so too.
  void ShareOutEvents();
  bool handles_envelopes() const { return on_envelope_ != nullptr; }
  bool handles_events() const {
    return on_event_ != nullptr || on_stranger_ != nullptr;
  }
  bool handles_fates() const { return on_fate_ != nullptr; }
  bool none() const {
    return on_envelope_ == nullptr && on_event_ == nullptr &&
           on_fate_ == nullptr && on_stranger_ == nullptr;
  }

  // Starts the thread, if there is a handler. kResourceExhausted: no threads.
  absl::Status Start();
  // Envelopes may be handled from now on.
  void EnableEnvelopes();
  // No handler begins from now on.
  void StopBeginning();
  // The same, and none that the own thread runs is running when it returns.
  void Stop();

  // Runs the handlers that are due on this thread, unless another one does.
  void RunHere();
  // After a push to the inbox: the same on the own thread, and a Receive that
  // waits wakes up. Call it without a lock that a reader may want.
  void Wake();

  void OnFate(const Fate& fate) override;

  // Looks for a slow handler, from one thread, now and then; counts and reports
  // it while it runs. So no handler reads a clock, and one that hangs is seen. It
  // is exact to the interval of these calls. True: a handler runs.
  bool Watch(absl::Time now);
  // When the handler began that ran at the last Watch; else InfiniteFuture. On the
  // thread of Watch.
  absl::Time running_since() const {
    return steps_seen_ % 2 == 1 ? seen_at_ : absl::InfiniteFuture();
  }
  // As the config's slow_handler; from any thread.
  void SetSlow(absl::Duration slow) {
    slow_ns_.store(absl::ToInt64Nanoseconds(slow), std::memory_order_relaxed);
  }
  std::uint64_t slow_handlers() const {
    return slow_handlers_.load(std::memory_order_relaxed);
  }

  // Whether the calling thread is in a handler of this server.
  bool InCallback() const;

 private:
  void Loop();
  void RunInbox();
  bool RunEvent();
  bool RunFate();
  template <typename Handler, typename Item>
  void Run(const char* name, const Handler& handler, const Item& item);

  Inbox* const inbox_;
  std::atomic<std::int64_t> slow_ns_;
  std::function<void(const EnvelopeView&)> on_envelope_;
  std::function<void(const PeerEvent&)> on_event_;
  std::function<void(const Fate&)> on_fate_;
  std::function<void(const Stranger&)> on_stranger_;
  std::atomic<bool> enabled_{false};
  std::atomic<bool> stopping_{false};

  // One more when a handler begins and when it returns, so odd while one runs.
  // Written by the thread that runs it; there is one at a time.
  std::atomic<std::uint64_t> steps_{0};
  // Watch's own.
  std::uint64_t steps_seen_ = 0;
  absl::Time seen_at_ = absl::InfinitePast();
  bool slow_reported_ = false;  // of this step
  EventRation slow_ration_;
  std::atomic<std::uint64_t> slow_handlers_{0};

  Mutex mutex_;
  CondVar wake_;
  bool awake_ CLUSTER_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace cluster::internal

#endif  // CLUSTER_SERVER_CALLBACKS_H_
