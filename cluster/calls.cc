#include "cluster/calls.h"

#include <iterator>
#include <new>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/base/clock.h"

namespace cluster::internal {
namespace {

// The key by which a request that waits is withdrawn.
std::uint64_t KeyOf(std::uint64_t number) { return number | kAnswerBit; }

}  // namespace

Calls::Calls(CallLine* line, std::size_t calls_max, std::uint64_t first_number,
             std::function<absl::Time()> clock)
    : line_(line),
      calls_max_(calls_max),
      clock_(std::move(clock)),
      next_(first_number) {}

Calls::~Calls() {
  End([](const Waiting&) { return true; },
      [this](const Waiting& waiting) {
        return absl::CancelledError(
            WhyGone(waiting, "the Caller was destroyed").message());
      });
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
  if (timed) deadlines_.emplace(deadline, number);
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

Calls::Waiting Calls::Remove(std::map<std::uint64_t, Waiting>::iterator call) {
  Waiting waiting = std::move(call->second);
  deadlines_.erase({waiting.deadline, waiting.number});
  waiting_.erase(call);
  return waiting;
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
                         : clock_() + deadline;
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
  const absl::Status sent = line_->Send(envelope, options);
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
        ended.push_back(Remove(call));
        ++stats_.failed;
      }
      call = next;
    }
  }
  for (const Waiting& waiting : ended) waiting.callback(why(waiting));
}

absl::Status Calls::WhyGone(const Waiting& waiting, const std::string& what) {
  if (line_->Withdraw(waiting.pid, waiting.lane, waiting.group,
                      KeyOf(waiting.number))) {
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
  Waiting waiting;
  {
    MutexLock lock(&mutex_);
    const auto call = waiting_.find(number);
    if (call == waiting_.end() || call->second.pid != envelope.sender_id) {
      ++stats_.late_answers;
      return true;
    }
    waiting = Remove(call);
    ++stats_.answered;
  }
  waiting.callback(envelope);
  return true;
}

absl::Status Calls::Answer(const EnvelopeView& request,
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
  return line_->Send(envelope, SendOptions());
}

bool Calls::Cancel(std::uint64_t number) {
  Waiting waiting;
  {
    MutexLock lock(&mutex_);
    const auto call = waiting_.find(number);
    if (call == waiting_.end()) return false;
    waiting = Remove(call);
    ++stats_.failed;
  }
  const absl::Status gone = WhyGone(waiting, "cancelled");
  waiting.callback(absl::CancelledError(gone.message()));
  return true;
}

absl::optional<Calls::Waiting> Calls::TakeExpired() {
  if (deadlines_.empty() || clock_() < deadlines_.begin()->first)
    return absl::nullopt;
  ++stats_.failed;
  return Remove(waiting_.find(deadlines_.begin()->second));
}

void Calls::EndLate(const Waiting& waiting) {
  const absl::Status gone = WhyGone(
      waiting, absl::StrCat("no answer of server ", waiting.pid, " within ",
                            absl::FormatDuration(waiting.patience)));
  waiting.callback(absl::DeadlineExceededError(gone.message()));
}

void Calls::Expire() {
  MutexLock lock(&mutex_);
  while (absl::optional<Waiting> late = TakeExpired()) {
    lock.Unlock();
    EndLate(*late);
    late.reset();  // with what its callback owns
    lock.Lock();
  }
}

void Calls::ExpireUntilStopped() {
  MutexLock lock(&mutex_);
  while (!stopped_) {
    if (absl::optional<Waiting> late = TakeExpired()) {
      lock.Unlock();
      EndLate(*late);
      late.reset();
      lock.Lock();
    } else if (deadlines_.empty()) {
      changed_.Wait(&mutex_);
    } else {
      changed_.WaitUntil(&mutex_,
                         Deadline(deadlines_.begin()->first - clock_()));
    }
  }
}

void Calls::Stop() {
  MutexLock lock(&mutex_);
  stopped_ = true;
  changed_.NotifyAll();
}

CallerStats Calls::Stats() const {
  MutexLock lock(&mutex_);
  CallerStats stats = stats_;
  stats.waiting = waiting_.size();
  return stats;
}

}  // namespace cluster::internal
