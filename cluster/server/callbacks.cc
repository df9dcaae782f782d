#include "cluster/server/callbacks.h"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/base/fork_generation.h"
#include "cluster/base/start_thread.h"

namespace cluster::internal {
namespace {

thread_local const Callbacks* running_here = nullptr;

// Marks this thread as being in a handler of `callbacks`. They nest, since a
// user's code may run one server's handler inside another's.
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

template <typename Handler, typename Item>
void Callbacks::Run(const char* name, const Handler& handler,
                    const Item& item) {
  const std::uint64_t generation = ForkGeneration();
  const std::uint64_t step = steps_.load(std::memory_order_relaxed) + 1;
  steps_.store(step, std::memory_order_relaxed);
  try {
    handler(item);
  } catch (const std::exception& error) {
    Die(name, inbox_->self_id(), "threw", error.what());
  } catch (...) {
    Die(name, inbox_->self_id(), "threw",
        "something that is no std::exception");
  }
  steps_.store(step + 1, std::memory_order_relaxed);
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
  ShareOutEvents();
}

void Callbacks::SetEventHandler(std::function<void(const PeerEvent&)> handler) {
  on_event_ = std::move(handler);
  ShareOutEvents();
}

void Callbacks::SetFateHandler(std::function<void(const Fate&)> handler) {
  on_fate_ = std::move(handler);
  ShareOutEvents();
}

void Callbacks::SetStrangerHandler(
    std::function<void(const Stranger&)> handler) {
  on_stranger_ = std::move(handler);
  ShareOutEvents();
}

void Callbacks::OnFate(const Fate& fate) {
  if (inbox_->PushFate(fate)) Wake();
}

void Callbacks::ShareOutEvents() {
  inbox_->SetFates(this, on_fate_ != nullptr && on_envelope_ != nullptr);
  if (!handles_events()) {
    inbox_->SetEventTaker(on_envelope_ == nullptr ? Inbox::EventTaker::kReader
                                                  : Inbox::EventTaker::kNobody);
  } else if (on_envelope_ == nullptr) {
    inbox_->SetEventTaker(Inbox::EventTaker::kReporter);
  } else {
    inbox_->SetEventTaker(Inbox::EventTaker::kReader);
  }
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
  MutexLock lock(&mutex_);
  stopping_ = true;
  wake_.NotifyAll();
}

void Callbacks::Stop() {
  StopBeginning();
  if (thread_.joinable()) thread_.join();
}

bool Callbacks::Watch(absl::Time now) {
  const std::uint64_t steps = steps_.load(std::memory_order_relaxed);
  const bool runs = steps % 2 == 1;
  if (steps != steps_seen_) {
    steps_seen_ = steps;
    seen_at_ = now;
    slow_reported_ = false;
  }
  const auto slow = absl::Nanoseconds(slow_ns_.load(std::memory_order_relaxed));
  if (!runs || slow_reported_ || slow == absl::ZeroDuration() ||
      now - seen_at_ < slow) {
    return runs;
  }
  slow_reported_ = true;
  slow_handlers_.fetch_add(1, std::memory_order_relaxed);
  const auto withheld = slow_ration_.Take(now);
  if (!withheld) return runs;
  PeerEvent event;
  event.type = PeerEvent::kWarning;
  event.peer = PeerEvent::kNobody;
  event.withheld = *withheld;
  event.reason = absl::StrCat(
      "a handler of server ", inbox_->self_id(), " runs for more than ",
      absl::FormatDuration(slow),
      " (slow_handler_ms): what arrives waits for it, and so does this event; "
      "hand slow work to a thread of your own");
  inbox_->PushEvent(std::move(event));
  Wake();
  return runs;
}

void Callbacks::Loop() {
  MutexLock lock(&mutex_);
  while (!stopping_) {
    while (!awake_ && !stopping_) wake_.Wait(&mutex_);
    awake_ = false;
    lock.Unlock();
    RunHere();
    lock.Lock();
  }
}

void Callbacks::Wake() {
  inbox_->WakeReader();
  if (none()) return;
  MutexLock lock(&mutex_);
  awake_ = true;
  wake_.NotifyOne();
}

void Callbacks::RunHere() {
  if (on_envelope_ == nullptr) {
    // A thread that finds another at an event leaves the next one to it.
    while (!stopping_ && (RunFate() || RunEvent())) {
    }
  } else if (enabled_) {
    RunInbox();
  }
}

void Callbacks::RunInbox() {
  // Again after giving the role back: a thread that pushed meanwhile saw that it
  // was taken, and left.
  while (!stopping_ && inbox_->TryBeginReading()) {
    const HandlerScope scope(this);
    const Inbox::Reading role(inbox_);
    while (!stopping_) {
      if (inbox_->fates_wait() && RunFate()) continue;
      if (const EnvelopeView* const envelope = inbox_->Next()) {
        Run("OnEnvelope", on_envelope_, *envelope);
      } else if (!RunEvent()) {
        break;
      }
    }
  }
}

bool Callbacks::RunFate() {
  return inbox_->ReportFate([this](const Fate& fate) {
    const HandlerScope scope(this);
    Run("OnFate", on_fate_, fate);
  });
}

bool Callbacks::RunEvent() {
  if (!handles_events()) return false;  // they are ReceiveAny's
  return inbox_->ReportEvent([this](const PeerEvent& event) {
    const HandlerScope scope(this);
    if (event.type == PeerEvent::kStranger && on_stranger_ != nullptr) {
      Run("OnStranger", on_stranger_, event.stranger);
    } else if (on_event_ != nullptr) {
      Run("OnPeerEvent", on_event_, event);
    }
  });
}

}  // namespace cluster::internal
