#include "cluster/server/event_log.h"

#include <algorithm>
#include <new>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cluster/base/start_thread.h"
#include "cluster/session/printable.h"

namespace cluster::internal {
namespace {

LogSeverity SeverityOf(PeerEvent::Type type) {
  switch (type) {
    case PeerEvent::kUp:
    case PeerEvent::kRemoved:
      return LogSeverity::kInfo;
    case PeerEvent::kDown:
    case PeerEvent::kRestarted:
    case PeerEvent::kRejected:
    case PeerEvent::kStranger:
    case PeerEvent::kWarning:
      break;
  }
  return LogSeverity::kWarning;
}

}  // namespace

absl::Status EventLog::Start() {
  if (sink_ == nullptr) return absl::OkStatus();
  return StartThread(
      "cluster-log", [this] { Loop(); }, &thread_);
}

void EventLog::Stop() {
  if (!thread_.joinable()) return;
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  thread_.join();
}

void EventLog::Add(const PeerEvent& event) {
  if (sink_ == nullptr) return;
  try {
    LogRecord record;
    record.severity = SeverityOf(event.type);
    record.event = PeerEventTypeName(event.type);
    record.peer = event.peer;
    record.text = Printable(event.reason);
    if (event.unknown_fate > 0) {
      absl::StrAppend(&record.text, record.text.empty() ? "" : "; ",
                      event.unknown_fate, " envelopes of unknown fate, ",
                      event.resent, " sent again");
    }
    Push(std::move(record), event.withheld);
  } catch (const std::bad_alloc&) {
    MutexLock lock(&mutex_);
    ++withheld_;
  }
}

void EventLog::Say(LogSeverity severity, const char* event,
                   absl::string_view text) {
  if (sink_ == nullptr) return;
  LogRecord record;
  record.severity = severity;
  record.event = event;
  record.text = Printable(text);
  Push(std::move(record), 0);
}

void EventLog::Push(LogRecord record, std::uint64_t withheld) {
  record.server = server_;
  record.time = absl::Now();
  {
    MutexLock lock(&mutex_);
    if (records_.size() >= kBurst || !TakeToken(record.time)) {
      withheld_ += 1 + withheld;
      return;
    }
    record.withheld = withheld + std::exchange(withheld_, 0);
    records_.push_back(std::move(record));
  }
  changed_.NotifyAll();
}

bool EventLog::TakeToken(absl::Time now) {
  if (now > filled_at_) {
    if (filled_at_ != absl::InfinitePast()) {
      tokens_ = std::min<double>(
          kBurst,
          tokens_ + absl::ToDoubleSeconds(now - filled_at_) * kPerSecond);
    }
    filled_at_ = now;
  }
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

void EventLog::Loop() {
  MutexLock lock(&mutex_);
  while (true) {
    changed_.Wait(&mutex_, [this] {
      mutex_.AssertHeld();
      return stopping_ || !records_.empty();
    });
    if (records_.empty()) return;
    std::deque<LogRecord> taken;
    taken.swap(records_);
    lock.Unlock();
    for (const LogRecord& record : taken) sink_(record);
    lock.Lock();
  }
}

}  // namespace cluster::internal
