// The parts of a Server, their life, and the paths of envelopes between them.
//
// A PeerDelivery sends to the other members, and the transport calls it. An Inbox
// has all that waits for the application, and Callbacks run its handlers.
//
// Threads and errors are as Server says. But a call may throw std::bad_alloc,
// with all as it was, and Server turns that into OutOfMemory. A child of fork
// lacks the threads that may hold a lock. So every call looks first whether this
// process started the server.

#ifndef CLUSTER_SERVER_SERVER_CORE_H_
#define CLUSTER_SERVER_SERVER_CORE_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "absl/base/attributes.h"
#include "absl/functional/function_ref.h"
#include "absl/types/optional.h"
#include "cluster/base/clock.h"
#include "cluster/base/fork_generation.h"
#include "cluster/base/mutex.h"
#include "cluster/server.h"
#include "cluster/server/application_watch.h"
#include "cluster/server/callbacks.h"
#include "cluster/server/event_log.h"
#include "cluster/server/inbox.h"
#include "cluster/server/key_watch.h"
#include "cluster/server/message_ids.h"
#include "cluster/server/peer_delivery.h"
#include "cluster/server/rejections.h"

namespace cluster::internal {

// The answer of a call where memory ends. It was made before, and a copy of it
// needs no memory.
const absl::Status& OutOfMemory();

// The call's answer, or OutOfMemory. Inline, so that what the call captures
// needs no memory: a copy of it would wait for the stores.
template <typename Call>
ABSL_ATTRIBUTE_ALWAYS_INLINE inline auto InMemory(const Call& call)
    -> decltype(call()) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return OutOfMemory();
  }
}

class ServerCore {
 public:
  // The config is valid and holds the id. `buffers`: what frames are built in,
  // and what the transport may put those into that arrive.
  ServerCore(int server_id, Config config, const Codec* codec,
             std::shared_ptr<BufferPool> buffers,
             std::unique_ptr<Transport> transport);
  ~ServerCore() { Stop(); }
  // Destroys it, unless its threads cannot be waited for: a child of fork lacks
  // them, and one of its own callbacks would wait for itself.
  static void End(std::unique_ptr<ServerCore> core);

  // Lifecycle (server_core.cc).
  absl::Status StartSending();
  absl::Status StartReceiving();
  void Stop();
  absl::Status AddPeer(int id, const std::string& address);
  absl::Status RemovePeer(int id, absl::Duration drain);
  absl::Status UpdatePeer(int id, const std::string& address);
  absl::Status ReloadSecurity();
  absl::Status ApplyConfig(const Config& wanted);
  // False, without calling `set`: the server has been started.
  bool SetHandler(absl::FunctionRef<void(Callbacks*)> set);
  bool SetLogSink(EventLog::Sink sink);

  // Envelopes (server_send.cc, server_receive.cc).
  // Fills in `envelope`'s id and sender where it stands: a copy would wait for
  // the caller's stores to it.
  absl::Status Send(EnvelopeView* envelope, absl::Duration timeout);
  absl::Status SendWith(EnvelopeView* envelope, const SendOptions& options,
                        const PayloadSource& payload = {});
  // Whether SendMoved may take the payload. Cheap.
  bool TakesPayload(const EnvelopeView& envelope) const {
    return envelope.pid == id_ || envelope.payload.size() > lone_bytes_;
  }
  absl::Status SendMoved(EnvelopeView* envelope, std::string* payload,
                         const SendOptions& options);
  absl::Status SendPieces(EnvelopeView* envelope,
                          absl::Span<const absl::string_view> pieces,
                          const SendOptions& options);
  MulticastResult Multicast(absl::Span<const int> pids,
                            const EnvelopeView& envelope,
                            const SendOptions& options);
  absl::Status Withdraw(int pid, Lane lane, std::uint64_t group,
                        std::uint64_t replaces);
  absl::StatusOr<Envelope> Receive(absl::Duration timeout);
  absl::Status ReceiveBatch(std::vector<Envelope>* out, int envelopes_max,
                            absl::Duration timeout);
  absl::StatusOr<Item> ReceiveAny(absl::Duration timeout);
  absl::StatusOr<int> NotifyFd();
  absl::StatusOr<KeptPayload> Keep(const EnvelopeView& envelope);
  // Of one member, or of all.
  absl::Status Flush(absl::optional<int> pid, absl::Duration timeout);

  void Renew() { application_.Renew(); }

  // Facts.
  int id() const { return id_; }
  std::vector<int> Peers() const;
  std::string Address() const;
  ServerStats Stats() const;
  Config CurrentConfig() const;
  absl::Status Probe(int pid);

 private:
  enum class Phase { kNew, kRunning, kStopped };
  static constexpr std::uint64_t kNever = 0;  // no ForkGeneration

  // Lifecycle.
  bool InAnotherProcess() const {
    const std::uint64_t started = started_in_.load(std::memory_order_relaxed);
    return started != kNever && started != ForkGeneration();
  }
  static absl::Status AfterFork();
  bool LockFacts() const CLUSTER_TRY_ACQUIRE(true, lifecycle_mutex_);
  // `begun_in`: what begins with it, sending or receiving.
  absl::Status Begin(std::atomic<std::uint64_t>* begun_in);
  absl::Status Run() CLUSTER_REQUIRES(lifecycle_mutex_);
  absl::Status RunParts() CLUSTER_REQUIRES(lifecycle_mutex_);
  absl::Status Dial() CLUSTER_REQUIRES(lifecycle_mutex_);
  absl::Status WatchKeys();
  absl::Status LoadKeys(const Config& config) CLUSTER_REQUIRES(reload_mutex_);
  // The steps of ApplyConfig (apply_config.cc).
  absl::Status MayApply(const Config& wanted)
      CLUSTER_REQUIRES(lifecycle_mutex_);
  absl::Status ApplyMembers(const Config& wanted)
      CLUSTER_REQUIRES(lifecycle_mutex_);
  absl::Status ConnectTo(const std::vector<ServerAddress>& members)
      CLUSTER_REQUIRES(lifecycle_mutex_);
  void TakeLiveKeys(const Config& wanted) CLUSTER_REQUIRES(lifecycle_mutex_);
  void PushEvent(PeerEvent event);
  std::vector<ServerAddress>& servers() CLUSTER_REQUIRES(lifecycle_mutex_) {
    return config_.servers;
  }
  const std::vector<ServerAddress>& servers() const
      CLUSTER_REQUIRES(lifecycle_mutex_) {
    return config_.servers;
  }
  ServerAddress* FindAddress(int id) CLUSTER_REQUIRES(lifecycle_mutex_);
  bool IsLeaving(int id) const CLUSTER_REQUIRES(lifecycle_mutex_);
  static absl::Status Leaving(int id);
  // Makes it a member, with the counters that are kept of it; and no member. The
  // process ends where memory does: half a member would stay.
  void Enter(int id);
  void Retire(int id);
  // Of a member that is not in servers() any more; waits for its acknowledgements.
  bool Drain(int id, absl::Duration drain) CLUSTER_EXCLUDES(lifecycle_mutex_);
  void StopAll();

  // Sending.
  bool sending() const {
    return sending_in_.load(std::memory_order_acquire) == ForkGeneration();
  }
  absl::Status NotSending() const;
  absl::Status UnknownPid(int pid) const;
  void Stamp(EnvelopeView* envelope) {
    envelope->message_id = message_ids_.Next();
    envelope->sender_id = id_;
  }
  absl::Status SendInTime(const EnvelopeView& view,
                          const SendConditions* conditions,
                          absl::Duration timeout);
  // Without conditions the envelope goes as most do. Without a deadline they do
  // not wait.
  absl::Status SendOne(int pid, const EnvelopeView& view,
                       const SendConditions* conditions,
                       LazyDeadline* deadline);
  // `moved`: the payload, to be taken; or null.
  absl::Status SendHere(const EnvelopeView& view, bool fate, std::string* moved,
                        LazyDeadline* deadline);
  absl::Status CheckOptions(const SendOptions& options) const;
  absl::optional<SendConditions> ConditionsOf(const SendOptions& options,
                                              const EnvelopeView& envelope);
  absl::Status Broadcast(const EnvelopeView& view, absl::Duration timeout);
  // `view` is stamped.
  MulticastResult SendToAll(EnvelopeView view, bool broadcast,
                            const std::vector<int>& recipients,
                            const SendConditions* conditions,
                            absl::Duration timeout);
  bool MayWait(absl::Duration timeout) const;
  absl::Status MayFlush() const;

  // Receiving.
  bool receiving() const {
    return receiving_in_.load(std::memory_order_acquire) == ForkGeneration();
  }
  absl::StatusOr<Envelope> Copied(const EnvelopeView& envelope);
  const EnvelopeView* NextOfBatch();
  bool CopyToBatch(const EnvelopeView& envelope, std::size_t taken,
                   std::vector<Envelope>* out);
  absl::StatusOr<Envelope> ReceiveInTime(absl::Duration timeout);
  absl::Status BeginReceive(LazyDeadline* deadline);

  const int id_;
  const std::size_t lone_bytes_;
  MessageIds message_ids_;
  // The process, as its ForkGeneration, in which it sends, receives and has
  // sockets and threads.
  std::atomic<std::uint64_t> sending_in_{kNever};
  std::atomic<std::uint64_t> receiving_in_{kNever};
  std::atomic<std::uint64_t> started_in_{kNever};
  std::atomic<bool> stopped_{false};
  // Of this life; 0 before it begins.
  std::atomic<std::uint64_t> incarnation_{0};
  std::atomic<std::int64_t> started_at_ns_{0};
  ServerCore* kept_before_ = nullptr;  // of those that End could not destroy

  mutable Mutex lifecycle_mutex_{LockRank::kServerLifecycle};
  Phase phase_ CLUSTER_GUARDED_BY(lifecycle_mutex_) = Phase::kNew;
  // "" before Start.
  std::string bound_address_ CLUSTER_GUARDED_BY(lifecycle_mutex_);
  // One Stop at a time, and one ReloadSecurity or ApplyConfig; the others wait.
  Mutex stop_mutex_{LockRank::kServerStop};
  Mutex reload_mutex_{LockRank::kServerStop};
  // Its live keys change, under both reload_mutex_ and lifecycle_mutex_; and its
  // servers under the latter: use servers().
  Config config_;
  // Members that RemovePeer waits for; they are not in servers() any more.
  std::vector<int> leaving_ CLUSTER_GUARDED_BY(lifecycle_mutex_);
  // The place of its address in the config, for errors.
  const std::string listener_place_;

  // The transport outlives the delivery, and is stopped before anything is
  // destroyed.
  const std::unique_ptr<Transport> transport_;
  EventLog log_;
  Inbox inbox_;
  Callbacks callbacks_;
  ApplicationWatch application_;
  // Held over each change of members, and over a look at the figures of all.
  mutable Mutex members_mutex_{LockRank::kServerMembers};
  // The last ones, in the order of removal.
  std::deque<PeerStats> removed_ CLUSTER_GUARDED_BY(members_mutex_);
  PeerStats removed_earlier_ CLUSTER_GUARDED_BY(members_mutex_);
  Rejections rejections_;
  KeyWatch key_watch_;
  const std::unique_ptr<PeerDelivery> delivery_;
};

}  // namespace cluster::internal

#endif  // CLUSTER_SERVER_SERVER_CORE_H_
