// Calls: the calls of a Caller that wait for their answers, apart from servers.
//
// It ties answers to requests, and ends each call exactly once (caller.h has the
// rules). A Caller gives it a server, and a thread that expires calls. The
// simulator gives it a simulated server and clock, and no thread.
//
// Thread-safe. Callbacks run in its calls, and no lock is held over them.
//
//   internal::Calls calls(&line, Caller::kCallsMax, first_number, MonotonicNow);
//   number = calls.Call(2, request, absl::Seconds(1), callback);
//   next = calls.Expire();  // and again at `next`

#ifndef CLUSTER_CALLS_H_
#define CLUSTER_CALLS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "cluster/base/mutex.h"
#include "cluster/caller.h"
#include "cluster/envelope.h"
#include "cluster/peer_event.h"
#include "cluster/server.h"

namespace cluster::internal {

// The server that calls go through.
class CallLine {
 public:
  virtual absl::Status Send(const EnvelopeView& envelope,
                            const SendOptions& options) = 0;
  // As Server::Withdraw; true: it was dropped.
  virtual bool Withdraw(int pid, Lane lane, std::uint64_t group,
                        std::uint64_t replaces) = 0;

 protected:
  ~CallLine() = default;
};

class Calls {
 public:
  // Calls have numbers from `first_number` on. No other life of this server
  // should use the same ones soon, for an answer to it may still come.
  Calls(CallLine* line, std::size_t calls_max, std::uint64_t first_number,
        std::function<absl::Time()> clock);
  ~Calls();  // ends all with kCancelled
  Calls(const Calls&) = delete;
  Calls& operator=(const Calls&) = delete;

  // As the methods of Caller.
  absl::StatusOr<std::uint64_t> Call(int pid, const EnvelopeView& request,
                                     absl::Duration deadline,
                                     Caller::Callback callback);
  absl::Status Answer(const EnvelopeView& request, const EnvelopeView& answer);
  bool Cancel(std::uint64_t number);
  bool OnEnvelope(const EnvelopeView& envelope);
  void OnPeerEvent(const PeerEvent& event);
  CallerStats Stats() const;

  // Ends the calls whose time is over.
  void Expire();
  // The same whenever it is time, until Stop.
  void ExpireUntilStopped();
  void Stop();

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
  Waiting Remove(std::map<std::uint64_t, Waiting>::iterator call)
      CLUSTER_REQUIRES(mutex_);
  // Ends those of which `which` is true with the error that `why` returns.
  template <typename Which, typename Why>
  void End(Which which, Why why);
  // The first whose time is over.
  absl::optional<Waiting> TakeExpired() CLUSTER_REQUIRES(mutex_);
  void EndLate(const Waiting& waiting) CLUSTER_EXCLUDES(mutex_);
  absl::Status WhyGone(const Waiting& waiting, const std::string& what);

  CallLine* const line_;
  const std::size_t calls_max_;
  const std::function<absl::Time()> clock_;

  mutable Mutex mutex_;
  CondVar changed_;
  std::uint64_t next_ CLUSTER_GUARDED_BY(mutex_);
  std::map<std::uint64_t, Waiting> waiting_ CLUSTER_GUARDED_BY(mutex_);
  std::set<Due> deadlines_ CLUSTER_GUARDED_BY(mutex_);
  CallerStats stats_ CLUSTER_GUARDED_BY(mutex_);
  bool stopped_ CLUSTER_GUARDED_BY(mutex_) = false;
};

}  // namespace cluster::internal

#endif  // CLUSTER_CALLS_H_
