// Callbacks: runs the user's handlers, one at a time.
//
// What it is: the OnEnvelope and OnPeerEvent handlers, and who runs them: the
// transport's receiving thread where it is at hand (no hop), else a thread of
// its own. Events have their places in the inbox, between the envelopes of the
// sessions that they part. With an OnEnvelope handler they are told where they
// lie; without one, as soon as they come, and Receive goes past such a place
// only when that was done. What it is not: where envelopes wait (Inbox).
//
// Threads: safe; SetHandlers before Start. No lock is held over user code. A
// handler that throws ends the process with a text, and so does one that returns
// in a child that it forked.

#ifndef CLUSTER_SERVER_CALLBACKS_H_
#define CLUSTER_SERVER_CALLBACKS_H_

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "absl/status/status.h"
#include "cluster/base/clock.h"
#include "cluster/envelope.h"
#include "cluster/peer_event.h"
#include "cluster/server/inbox.h"
#include "cluster/server/pending_events.h"

namespace cluster {

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

  // An event happened. Does not run it; RunHere or Wake must follow. Throws
  // std::bad_alloc where memory ends, and then it was not pushed.
  void PushEvent(PeerEvent event);
  // Runs what is to be run on this thread, unless another one is at it.
  void RunHere();
  // The same on the own thread.
  void Wake();
  // Waits until the events that are pending now have been handled; false at the
  // deadline.
  bool WaitForEvents(LazyDeadline* deadline);

  // Whether the calling thread is in a handler of this server.
  bool InCallback() const;

 private:
  void Loop();
  void RunInbox();
  void RunEvents();
  template <typename Handler, typename Told>
  void Run(const char* name, const Handler& handler, const Told& told) const;

  Inbox* const inbox_;
  std::function<void(const EnvelopeView&)> on_envelope_;
  std::function<void(const PeerEvent&)> on_event_;
  std::atomic<bool> enabled_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> events_pending_{false};  // not all of events_ were handled

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable handled_;
  PendingEvents events_;
  bool running_event_ = false;
  bool awake_ = false;
  std::thread thread_;
};

}  // namespace cluster

#endif  // CLUSTER_SERVER_CALLBACKS_H_
