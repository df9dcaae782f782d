#include "cluster/caller.h"

#include <atomic>
#include <random>
#include <thread>
#include <utility>

#include "cluster/base/clock.h"
#include "cluster/base/mutex.h"
#include "cluster/base/start_thread.h"
#include "cluster/calls.h"

namespace cluster {
namespace internal {
namespace {

// Far from where the bit of answers would be reached. An answer to an earlier life
// of this server finds no call with its number.
std::uint64_t FirstNumber() {
  std::random_device device;
  const std::uint64_t high = device();
  return ((high << 32 | device()) >> 2) + 1;
}

}  // namespace

// Calls through a server, and the thread that expires them.
class ServerCalls final : public CallLine {
 public:
  ServerCalls(Server* server, std::size_t calls_max)
      : server_(server), calls_(this, calls_max, FirstNumber(), MonotonicNow) {}
  ~ServerCalls() {
    calls_.Stop();
    if (thread_.joinable()) thread_.join();
  }

  Calls& calls() { return calls_; }

  // Before the first call with a deadline.
  absl::Status StartThread() {
    if (started_.load(std::memory_order_acquire)) return absl::OkStatus();
    MutexLock lock(&mutex_);
    if (started_) return absl::OkStatus();
    absl::Status status = internal::StartThread(
        "cluster-caller", [this] { calls_.ExpireUntilStopped(); }, &thread_);
    started_.store(status.ok(), std::memory_order_release);
    return status;
  }

  absl::Status Send(const EnvelopeView& envelope,
                    const SendOptions& options) override {
    return server_->Send(envelope, options);
  }
  bool Withdraw(int pid, Lane lane, std::uint64_t group,
                std::uint64_t replaces) override {
    return server_->Withdraw(pid, lane, group, replaces).ok();
  }

 private:
  Server* const server_;
  Mutex mutex_;
  std::atomic<bool> started_{false};
  std::thread thread_ CLUSTER_GUARDED_BY(mutex_);
  Calls calls_;  // ends first
};

}  // namespace internal

Caller::Caller(Server* server, std::size_t calls_max)
    : calls_(std::make_unique<internal::ServerCalls>(server, calls_max)) {}

Caller::~Caller() = default;

absl::StatusOr<std::uint64_t> Caller::Call(int pid, const EnvelopeView& request,
                                           absl::Duration deadline,
                                           Callback callback) {
  if (deadline != absl::InfiniteDuration()) {
    if (absl::Status status = calls_->StartThread(); !status.ok())
      return status;
  }
  return calls_->calls().Call(pid, request, deadline, std::move(callback));
}

absl::Status Caller::Answer(const EnvelopeView& request,
                            const EnvelopeView& answer) {
  return calls_->calls().Answer(request, answer);
}

bool Caller::Cancel(std::uint64_t call) { return calls_->calls().Cancel(call); }

bool Caller::OnEnvelope(const EnvelopeView& envelope) {
  return calls_->calls().OnEnvelope(envelope);
}

void Caller::OnPeerEvent(const PeerEvent& event) {
  calls_->calls().OnPeerEvent(event);
}

CallerStats Caller::Stats() const { return calls_->calls().Stats(); }

}  // namespace cluster
