#include "cluster/transport/fault/fault_transport.h"

#include <map>
#include <string>
#include <thread>
#include <utility>

#include "cluster/base/mutex.h"
#include "cluster/transport/fault/fault_state.h"
#include "cluster/transport/testing/forwarding_transport.h"

namespace cluster {
namespace {

// Frames that are held back, and the thread that sends them later.
class DelayLine {
 public:
  explicit DelayLine(Transport* inner)
      : inner_(inner), thread_([this] { Loop(); }) {}
  ~DelayLine() { Stop(); }

  void Hold(int peer, Frame frame, absl::Duration delay) {
    const auto due =
        std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(delay);
    internal::MutexLock lock(&mutex_);
    held_.emplace(due, Held{peer, std::move(frame)});
    changed_.NotifyOne();
  }

  // The frames that it still holds are lost.
  void Stop() {
    {
      internal::MutexLock lock(&mutex_);
      stopping_ = true;
      changed_.NotifyOne();
    }
    internal::MutexLock join_lock(
        &join_mutex_);  // Stop may be called twice at once
    if (thread_.joinable()) thread_.join();
  }

 private:
  struct Held {
    int peer;
    Frame frame;
  };

  void Loop() {
    internal::MutexLock lock(&mutex_);
    while (!stopping_) {
      if (held_.empty()) {
        changed_.Wait(&mutex_);
        continue;
      }
      const auto first = held_.begin();
      if (std::chrono::steady_clock::now() < first->first) {
        changed_.WaitUntil(&mutex_, first->first);
        continue;
      }
      {
        const Held held = std::move(first->second);
        held_.erase(first);
        lock.Unlock();
        // A late frame that finds no room is lost, as on any bad network. No
        // sender waits for the OnWritable after it.
        (void)inner_->Send(held.peer, held.frame);
        // Frees the frame unlocked, since that locks its pool.
      }
      lock.Lock();
    }
  }

  Transport* const inner_;
  internal::Mutex mutex_;
  internal::CondVar changed_;
  std::multimap<std::chrono::steady_clock::time_point, Held> held_
      CLUSTER_GUARDED_BY(mutex_);
  bool stopping_ CLUSTER_GUARDED_BY(mutex_) = false;
  internal::Mutex join_mutex_;
  std::thread thread_ CLUSTER_GUARDED_BY(join_mutex_);
};

class FaultTransport final : public ForwardingTransport {
 public:
  FaultTransport(int self, std::shared_ptr<Faults::State> state,
                 std::unique_ptr<Transport> around)
      : ForwardingTransport(std::move(around)),
        self_(self),
        state_(std::move(state)),
        delayed_(inner()) {}
  ~FaultTransport() override { Stop(absl::ZeroDuration()); }

  void Stop(absl::Duration linger) override {
    delayed_.Stop();
    inner()->Stop(linger);
  }

  SendResult Send(int peer, const Frame& frame) override {
    const Fate fate = state_->Decide(self_, peer);
    if (fate.copies == 0) return SendResult::kSent;
    if (fate.copies > 1) delayed_.Hold(peer, frame, fate.delay);
    if (fate.delay > absl::ZeroDuration()) {
      delayed_.Hold(peer, frame, fate.delay);
      return SendResult::kSent;
    }
    return inner()->Send(peer, frame);
  }

 private:
  const int self_;
  const std::shared_ptr<Faults::State> state_;
  DelayLine delayed_;
};

}  // namespace

Faults::Faults(std::uint64_t seed) : state_(std::make_shared<State>(seed)) {}

TransportFactory Faults::Around(TransportFactory inner) const {
  return
      [state = state_, inner = std::move(inner)](const TransportConfig& config)
          -> absl::StatusOr<std::unique_ptr<Transport>> {
        absl::StatusOr<std::unique_ptr<Transport>> transport = inner(config);
        if (!transport.ok()) return transport.status();
        return std::make_unique<FaultTransport>(config.server_id, state,
                                                *std::move(transport));
      };
}

void Faults::SetRates(const FaultRates& rates) { state_->SetRates(rates); }
void Faults::Cut(int from, int to) { state_->Cut(from, to); }
void Faults::Isolate(int server) { state_->Isolate(server); }
void Faults::Heal() { state_->Heal(); }
FaultCounts Faults::Counts() const { return state_->Counts(); }

}  // namespace cluster
