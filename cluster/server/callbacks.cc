#include "cluster/server/callbacks.h"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <utility>

#include "cluster/base/fork_generation.h"
#include "cluster/base/start_thread.h"

namespace cluster {
namespace {

thread_local const Callbacks* running_here = nullptr;

// Marks this thread as being in a handler of `callbacks`. They nest: a handler
// may send to another server of the process, whose transport never calls back
// inline, but a user's own code may do as it likes.
class HandlerScope {
 public:
  explicit HandlerScope(const Callbacks* callbacks) : outer_(running_here) {
    running_here = callbacks;
  }
  ~HandlerScope() { running_here = outer_; }

 private:
  const Callbacks* const outer_;
};

// The thread is the transport's or the server's, and has no caller to tell.
[[noreturn]] void Die(const char* handler, int server_id, const char* did,
                      const char* what) {
  std::fprintf(stderr, "cluster: the %s handler of server %d %s: %s\n", handler,
               server_id, did, what);
  std::abort();
}

}  // namespace

template <typename Handler, typename Told>
void Callbacks::Run(const char* name, const Handler& handler,
                    const Told& told) const {
  const std::uint64_t generation = ForkGeneration();
  try {
    handler(told);
  } catch (const std::exception& error) {
    Die(name, inbox_->self_id(), "threw", error.what());
  } catch (...) {
    Die(name, inbox_->self_id(), "threw",
        "something that is no std::exception");
  }
  // The rest of this thread belongs to the parent: it would receive from the
  // parent's sockets.
  if (generation != ForkGeneration()) {
    Die(name, inbox_->self_id(), "returned in a child that it had forked",
        "end the child in the handler, by exec or _exit");
  }
}

void Callbacks::SetEnvelopeHandler(
    std::function<void(const EnvelopeView&)> handler) {
  on_envelope_ = std::move(handler);
}

void Callbacks::SetEventHandler(std::function<void(const PeerEvent&)> handler) {
  on_event_ = std::move(handler);
}

bool Callbacks::InCallback() const { return running_here == this; }

absl::Status Callbacks::Start() {
  if (none()) return absl::OkStatus();
  return StartThread(
      "cluster-calls", [this] { Loop(); }, &thread_);
}

void Callbacks::EnableEnvelopes() {
  enabled_ = true;
  Wake();
}

void Callbacks::StopBeginning() {
  std::lock_guard<std::mutex> lock(mutex_);
  stopping_ = true;
  wake_.notify_all();
  handled_.notify_all();
}

void Callbacks::Stop() {
  StopBeginning();
  if (thread_.joinable()) thread_.join();
}

void Callbacks::Loop() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stopping_) {
    wake_.wait(lock, [this] { return awake_ || stopping_; });
    awake_ = false;
    lock.unlock();
    RunHere();
    lock.lock();
  }
}

void Callbacks::Wake() {
  std::lock_guard<std::mutex> lock(mutex_);
  awake_ = true;
  wake_.notify_one();
}

void Callbacks::PushEvent(PeerEvent event) {
  if (on_event_ == nullptr) return;
  std::lock_guard<std::mutex> lock(mutex_);
  if (!events_.Push(std::move(event))) return;
  events_pending_ = true;
  // Under the lock, so that markers are in the order of their events. Receive
  // waits at each for all that are pending.
  try {
    inbox_->PushMarker(/*again=*/on_envelope_ != nullptr);
  } catch (const std::bad_alloc&) {
    events_.DropLast();
    events_pending_ = running_event_ || !events_.empty();
    throw;
  }
}

void Callbacks::RunHere() {
  if (on_envelope_ != nullptr) {
    if (enabled_) RunInbox();
  } else if (events_pending_) {
    RunEvents();
  }
}

void Callbacks::RunInbox() {
  // Again after giving the role back: who pushed meanwhile saw that it was
  // taken, and went.
  while (!stopping_ && inbox_->TryBeginReading()) {
    HandlerScope scope(this);
    const Inbox::Reading role(inbox_);
    while (!stopping_) {
      if (const EnvelopeView* const envelope = inbox_->Next()) {
        Run("OnEnvelope", on_envelope_, *envelope);
        continue;
      }
      // Not pending, and there is none: one that is being pushed is found when
      // the role is taken again.
      if (!events_pending_ || !inbox_->TakeMarker()) break;
      PeerEvent event;
      {
        std::lock_guard<std::mutex> lock(mutex_);
        event = events_.Pop();
        events_pending_ = !events_.empty();
      }
      Run("OnPeerEvent", on_event_, event);
    }
  }
}

void Callbacks::RunEvents() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!running_event_ && !events_.empty() && !stopping_) {
    const PeerEvent event = events_.Pop();
    running_event_ = true;
    lock.unlock();
    {
      HandlerScope scope(this);
      Run("OnPeerEvent", on_event_, event);
    }
    lock.lock();
    running_event_ = false;
    events_pending_ = !events_.empty();
  }
  handled_.notify_all();
}

bool Callbacks::WaitForEvents(LazyDeadline* deadline) {
  if (!events_pending_) return true;
  std::unique_lock<std::mutex> lock(mutex_);
  return handled_.wait_until(lock, deadline->Get(),
                             [this] { return stopping_ || !events_pending_; });
}

}  // namespace cluster
