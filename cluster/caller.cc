#include "cluster/caller.h"

#include <iterator>
#include <map>
#include <new>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/base/clock.h"
#include "cluster/base/mutex.h"
#include "cluster/base/start_thread.h"

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

// The key by which a request that waits is withdrawn.
std::uint64_t KeyOf(std::uint64_t number) { return number | kAnswerBit; }

}  // namespace

class Calls {
 public:
  Calls(Server* server, std::size_t calls_max)
      : server_(server), calls_max_(calls_max), next_(FirstNumber()) {}

  ~Calls() {
    {
      MutexLock lock(&mutex_);
      stopped_ = true;
      changed_.NotifyAll();
    }
    if (thread_.joinable()) thread_.join();
    End([](const Waiting&) { return true; },
        [this](const Waiting& waiting) {
          return absl::CancelledError(
              WhyGone(waiting, "the Caller was destroyed").message());
        });
  }

  absl::StatusOr<std::uint64_t> Call(int pid, const EnvelopeView& request,
                                     absl::Duration deadline,
                                     Caller::Callback callback);
  bool Cancel(std::uint64_t number);
  bool OnEnvelope(const EnvelopeView& envelope);
  void OnPeerEvent(const PeerEvent& event);
  CallerStats Stats() const;

  Server* server() { return server_; }

 private:
  struct Waiting {
    std::uint64_t number = 0;
    int pid = 0;
    Lane lane = Lane::kNormal;
    std::uint64_t group = 0;
    absl::Duration patience;
    absl::Time deadline;
    Caller::Callback callback;
  };
  using Due = std::pair<absl::Time, std::uint64_t>;

  absl::StatusOr<std::uint64_t> Add(Waiting waiting);
  void Remove(std::map<std::uint64_t, Waiting>::iterator call)
      CLUSTER_REQUIRES(mutex_);
  // Ends those of which `which` is true with what `why` answers.
  template <typename Which, typename Why>
  void End(Which which, Why why);
  absl::Status WhyGone(const Waiting& waiting, const std::string& what);
  absl::Status StartThread() CLUSTER_REQUIRES(mutex_);
  void Loop();

  Server* const server_;
  const std::size_t calls_max_;

  mutable Mutex mutex_;
  CondVar changed_;
  std::uint64_t next_ CLUSTER_GUARDED_BY(mutex_);
  std::map<std::uint64_t, Waiting> waiting_ CLUSTER_GUARDED_BY(mutex_);
  std::set<Due> deadlines_ CLUSTER_GUARDED_BY(mutex_);
  CallerStats stats_ CLUSTER_GUARDED_BY(mutex_);
  bool stopped_ CLUSTER_GUARDED_BY(mutex_) = false;
  bool started_ CLUSTER_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

absl::Status Calls::StartThread() {
  if (started_) return absl::OkStatus();
  absl::Status status = internal::StartThread(
      "cluster-caller", [this] { Loop(); }, &thread_);
  started_ = status.ok();
  return status;
}

absl::StatusOr<std::uint64_t> Calls::Add(Waiting waiting) {
  MutexLock lock(&mutex_);
  if (waiting_.size() >= calls_max_) {
    return absl::ResourceExhaustedError(
        absl::StrCat(calls_max_, " calls wait for their answers (calls_max)"));
  }
  const std::uint64_t number = next_++;
  waiting.number = number;
  const absl::Time deadline = waiting.deadline;
  const bool timed = deadline != absl::InfiniteFuture();
  if (timed) {
    if (absl::Status status = StartThread(); !status.ok()) return status;
    deadlines_.emplace(deadline, number);
  }
  try {
    waiting_.emplace(number, std::move(waiting));
  } catch (const std::bad_alloc&) {
    if (timed) deadlines_.erase({deadline, number});
    throw;
  }
  ++stats_.calls;
  if (timed && deadlines_.begin()->second == number) changed_.NotifyAll();
  return number;
}

void Calls::Remove(std::map<std::uint64_t, Waiting>::iterator call) {
  deadlines_.erase({call->second.deadline, call->first});
  waiting_.erase(call);
}

absl::StatusOr<std::uint64_t> Calls::Call(int pid, const EnvelopeView& request,
                                          absl::Duration deadline,
                                          Caller::Callback callback) {
  if (pid < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("a call to pid ", pid, ": want one server's id"));
  }
  if (deadline <= absl::ZeroDuration()) {
    return absl::DeadlineExceededError(
        absl::StrCat("a call with the deadline ",
                     absl::FormatDuration(deadline), ": want more than zero"));
  }
  Waiting waiting;
  waiting.pid = pid;
  waiting.lane = request.lane;
  waiting.group = request.group;
  waiting.patience = deadline;
  waiting.deadline = deadline == absl::InfiniteDuration()
                         ? absl::InfiniteFuture()
                         : MonotonicNow() + deadline;
  waiting.callback = std::move(callback);
  // Before the request is sent: the answer may come before Send returns.
  absl::StatusOr<std::uint64_t> number = Add(std::move(waiting));
  if (!number.ok()) return number;
  EnvelopeView envelope = request;
  envelope.pid = pid;
  envelope.correlation = *number;
  SendOptions options;
  options.only_if_up = true;
  options.expires_after = deadline;
  options.replaces = KeyOf(*number);
  const absl::Status sent = server_->Send(envelope, options);
  if (sent.ok()) return number;
  MutexLock lock(&mutex_);
  const auto call = waiting_.find(*number);
  // Ended already, by an event.
  if (call == waiting_.end()) return number;
  Remove(call);
  --stats_.calls;
  return sent;
}

template <typename Which, typename Why>
void Calls::End(Which which, Why why) {
  std::vector<Waiting> ended;
  {
    MutexLock lock(&mutex_);
    for (auto call = waiting_.begin(); call != waiting_.end();) {
      const auto next = std::next(call);
      if (which(call->second)) {
        ended.push_back(std::move(call->second));
        Remove(call);
        ++stats_.failed;
      }
      call = next;
    }
  }
  for (const Waiting& waiting : ended) waiting.callback(why(waiting));
}

absl::Status Calls::WhyGone(const Waiting& waiting, const std::string& what) {
  const bool withdrawn = server_
                             ->Withdraw(waiting.pid, waiting.lane,
                                        waiting.group, KeyOf(waiting.number))
                             .ok();
  if (withdrawn) {
    return absl::UnavailableError(
        absl::StrCat(what, "; the request was withdrawn before it was sent"));
  }
  return absl::UnknownError(absl::StrCat(what, "; the request may have run"));
}

void Calls::OnPeerEvent(const PeerEvent& event) {
  const bool gone = event.type == PeerEvent::kDown ||
                    event.type == PeerEvent::kRestarted ||
                    event.type == PeerEvent::kRemoved;
  if (!gone) return;
  const std::string what =
      absl::StrCat("server ", event.peer, " ", PeerEventTypeName(event.type),
                   ": ", event.reason);
  End([&](const Waiting& waiting) { return waiting.pid == event.peer; },
      [&](const Waiting& waiting) { return WhyGone(waiting, what); });
}

bool Calls::OnEnvelope(const EnvelopeView& envelope) {
  if ((envelope.correlation & kAnswerBit) == 0) return false;
  const std::uint64_t number = envelope.correlation & ~kAnswerBit;
  Caller::Callback callback;
  {
    MutexLock lock(&mutex_);
    const auto call = waiting_.find(number);
    if (call == waiting_.end() || call->second.pid != envelope.sender_id) {
      ++stats_.late_answers;
      return true;
    }
    callback = std::move(call->second.callback);
    Remove(call);
    ++stats_.answered;
  }
  callback(envelope);
  return true;
}

bool Calls::Cancel(std::uint64_t number) {
  Waiting waiting;
  {
    MutexLock lock(&mutex_);
    const auto call = waiting_.find(number);
    if (call == waiting_.end()) return false;
    waiting = std::move(call->second);
    Remove(call);
    ++stats_.failed;
  }
  const absl::Status gone = WhyGone(waiting, "cancelled");
  waiting.callback(absl::CancelledError(gone.message()));
  return true;
}

void Calls::Loop() {
  MutexLock lock(&mutex_);
  while (!stopped_) {
    if (deadlines_.empty()) {
      changed_.Wait(&mutex_);
      continue;
    }
    const absl::Time now = MonotonicNow();
    const auto [deadline, number] = *deadlines_.begin();
    if (now < deadline) {
      changed_.WaitUntil(&mutex_, internal::Deadline(deadline - now));
      continue;
    }
    const auto call = waiting_.find(number);
    const Waiting waiting = std::move(call->second);
    Remove(call);
    ++stats_.failed;
    lock.Unlock();
    const absl::Status gone = WhyGone(
        waiting, absl::StrCat("no answer of server ", waiting.pid, " within ",
                              absl::FormatDuration(waiting.patience)));
    waiting.callback(absl::DeadlineExceededError(gone.message()));
    lock.Lock();
  }
}

CallerStats Calls::Stats() const {
  MutexLock lock(&mutex_);
  CallerStats stats = stats_;
  stats.waiting = waiting_.size();
  return stats;
}

}  // namespace internal

Caller::Caller(Server* server, std::size_t calls_max)
    : calls_(std::make_unique<internal::Calls>(server, calls_max)) {}

Caller::~Caller() = default;

absl::StatusOr<std::uint64_t> Caller::Call(int pid, const EnvelopeView& request,
                                           absl::Duration deadline,
                                           Callback callback) {
  return calls_->Call(pid, request, deadline, std::move(callback));
}

absl::Status Caller::Answer(const EnvelopeView& request,
                            const EnvelopeView& answer) {
  if (request.correlation == 0 || (request.correlation & kAnswerBit) != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "correlation ", request.correlation,
        ": an envelope that is no request of a Caller wants no answer"));
  }
  EnvelopeView envelope = answer;
  envelope.pid = request.sender_id;
  envelope.group = request.group;
  envelope.correlation = request.correlation | kAnswerBit;
  return calls_->server()->Send(envelope);
}

bool Caller::Cancel(std::uint64_t call) { return calls_->Cancel(call); }

bool Caller::OnEnvelope(const EnvelopeView& envelope) {
  return calls_->OnEnvelope(envelope);
}

void Caller::OnPeerEvent(const PeerEvent& event) { calls_->OnPeerEvent(event); }

CallerStats Caller::Stats() const { return calls_->Stats(); }

}  // namespace cluster
