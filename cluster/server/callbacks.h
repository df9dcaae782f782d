// Runs the user's handlers, one at a time: on the transport's receiving thread
// where that is at hand, else on a thread of its own.
//
// With an OnEnvelope handler it is the inbox's reader, and runs both handlers in
// the inbox's order. Without one it tells events as soon as they come.
//
// Thread-safe, but for the setters, which come before Start. No lock is held
// over user code. A handler that throws ends the process with a text, and so
// does one that returns in a child that it forked.

#ifndef CLUSTER_SERVER_CALLBACKS_H_
#define CLUSTER_SERVER_CALLBACKS_H_

#include <atomic>
#include <functional>
#include <thread>

#include "absl/status/status.h"
#include "cluster/base/mutex.h"
#include "cluster/envelope.h"
#include "cluster/peer_event.h"
#include "cluster/server/inbox.h"

namespace cluster::internal {

class Callbacks {
 public:
  explicit Callbacks(Inbox* inbox) : inbox_(inbox) {}
  ~Callbacks() { Stop(); }

  void SetEnvelopeHandler(std::function<void(const EnvelopeView&)> handler);
  void SetEventHandler(std::function<void(const PeerEvent&)> handler);
  bool handles_envelopes() const { return on_envelope_ != nullptr; }
  bool none() const { return on_envelope_ == nullptr && on_event_ == nullptr; }

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

  // Whether the calling thread is in a handler of this server.
  bool InCallback() const;

 private:
  void ShareOutEvents();
  void Loop();
  void RunInbox();
  bool RunEvent();
  template <typename Handler, typename Told>
  void Run(const char* name, const Handler& handler, const Told& told) const;

  Inbox* const inbox_;
  std::function<void(const EnvelopeView&)> on_envelope_;
  std::function<void(const PeerEvent&)> on_event_;
  std::atomic<bool> enabled_{false};
  std::atomic<bool> stopping_{false};

  Mutex mutex_;
  CondVar wake_;
  bool awake_ CLUSTER_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace cluster::internal

#endif  // CLUSTER_SERVER_CALLBACKS_H_
