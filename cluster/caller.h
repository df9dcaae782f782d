// Caller: requests to other servers, and their answers, on Server's public API.
//
// A request has an Envelope::correlation; its answer has the same with kAnswerBit.
// The callback of a call runs exactly once: with the answer, or with an error:
//
// - kUnavailable: the peer went down, and the request never left. Nothing ran.
// - kUnknown: the peer went down, restarted or was removed. The request may have
//   run, and may still: after a restart it is sent again (on_peer_restart), so it
//   may even run twice. Make requests that may be repeated.
// - kDeadlineExceeded: no answer in time. The request may have run.
// - kCancelled: Cancel, or the Caller was destroyed.
//
// Answers have answer_bytes_reserved of each peer's queue, beyond queue_bytes_max.
// So an answer that a handler sends is not lost to a full queue.
//
// Thread-safe. Callbacks run in OnEnvelope and OnPeerEvent, on a thread of its own
// (deadlines), in Cancel and in the destructor; no lock is held over them. They
// must not throw, and must not destroy the Caller. One Caller for each server, which
// outlives it; stop the server before you destroy the Caller.
//
//   cluster::Caller caller(server.get());
//   server->OnPeerEvent([&](const auto& event) { caller.OnPeerEvent(event); });
//   server->OnEnvelope([&](const cluster::EnvelopeView& envelope) {
//     if (caller.OnEnvelope(envelope)) return;  // it was an answer
//     caller.Answer(envelope, Handle(envelope)).IgnoreError();
//   });
//   ...
//   caller.Call(2, request, absl::Seconds(1),
//               [](const absl::StatusOr<cluster::EnvelopeView>& answer) { ... });

#ifndef CLUSTER_CALLER_H_
#define CLUSTER_CALLER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cluster/envelope.h"
#include "cluster/export.h"
#include "cluster/peer_event.h"
#include "cluster/server.h"

namespace cluster {

namespace internal {
class ServerCalls;
}  // namespace internal

struct CallerStats {
  std::uint64_t calls = 0;         // that were accepted
  std::uint64_t answered = 0;      // of them
  std::uint64_t failed = 0;        // of them
  std::uint64_t late_answers = 0;  // that nobody waited for any more
  std::size_t waiting = 0;         // calls == answered + failed + waiting
};

class CLUSTER_EXPORT Caller {
 public:
  // The answer's view is valid until the callback returns.
  using Callback =
      std::function<void(const absl::StatusOr<EnvelopeView>& answer)>;
  static constexpr std::size_t kCallsMax = 1u << 16;

  // At most `calls_max` wait at a time.
  explicit Caller(Server* server, std::size_t calls_max = kCallsMax);
  ~Caller();
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  // Sends the request to the pid, whatever its own pid and correlation are, and
  // returns a number for Cancel. After an error the callback never runs.
  // kUnavailable: the peer is not up. kResourceExhausted: its queue is full, or
  // calls_max wait. kDeadlineExceeded: the deadline is not positive. Else as
  // Server::Send. The callback may run before this returns.
  absl::StatusOr<std::uint64_t> Call(int pid, const EnvelopeView& request,
                                     absl::Duration deadline,
                                     Callback callback);
  // Sends an answer to the request, whatever the answer's pid, group and
  // correlation are. Does not wait. kInvalidArgument: the request wants none.
  // kResourceExhausted: answer_bytes_reserved is used up. Else as Server::Send.
  absl::Status Answer(const EnvelopeView& request, const EnvelopeView& answer);
  // Ends a call with kCancelled. False: it has ended.
  bool Cancel(std::uint64_t call);

  // Give it each envelope: true if it was an answer. And each event.
  bool OnEnvelope(const EnvelopeView& envelope);
  void OnPeerEvent(const PeerEvent& event);

  CallerStats Stats() const;

 private:
  const std::unique_ptr<internal::ServerCalls> calls_;
};

}  // namespace cluster

#endif  // CLUSTER_CALLER_H_
