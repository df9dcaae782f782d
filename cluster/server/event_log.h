// EventLog: hands records of a server to its log sink, on a thread of its own.
//
// Adding never waits: it happens with locks of the server held. At most kBurst
// records wait, and in the long run kPerSecond are let in. Others are counted, and
// the next record says how many.
//
// Thread-safe, but for SetSink, Start and Stop. Without a sink it does nothing.
// Where memory ends a record is left out and counted.
//
//   EventLog log(1);
//   log.SetSink(sink);
//   absl::Status status = log.Start();
//   log.Say(LogSeverity::kInfo, "started", "at 127.0.0.1:10001");

#ifndef CLUSTER_SERVER_EVENT_LOG_H_
#define CLUSTER_SERVER_EVENT_LOG_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cluster/base/mutex.h"
#include "cluster/log.h"
#include "cluster/peer_event.h"

namespace cluster::internal {

class EventLog {
 public:
  static constexpr int kBurst = 256;
  static constexpr double kPerSecond = 32;

  using Sink = std::function<void(const LogRecord&)>;

  explicit EventLog(int server) : server_(server) {}
  ~EventLog() { Stop(); }
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  // Before anything else.
  void SetSink(Sink sink) { sink_ = std::move(sink); }
  // kResourceExhausted: no thread.
  absl::Status Start();
  // Hands over what waits, and returns when the sink has returned.
  void Stop();

  void Add(const PeerEvent& event);
  void Say(LogSeverity severity, const char* event, absl::string_view text);

 private:
  void Push(LogRecord record, std::uint64_t withheld);
  bool TakeToken(absl::Time now) CLUSTER_REQUIRES(mutex_);
  void Loop();

  const int server_;
  Sink sink_;
  Mutex mutex_{LockRank::kLeaf};
  CondVar changed_;
  std::deque<LogRecord> records_ CLUSTER_GUARDED_BY(mutex_);
  std::uint64_t withheld_ CLUSTER_GUARDED_BY(mutex_) = 0;
  double tokens_ CLUSTER_GUARDED_BY(mutex_) = kBurst;
  absl::Time filled_at_ CLUSTER_GUARDED_BY(mutex_) = absl::InfinitePast();
  bool stopping_ CLUSTER_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace cluster::internal

#endif  // CLUSTER_SERVER_EVENT_LOG_H_
