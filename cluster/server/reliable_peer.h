// ReliablePeer: a peer with a session: a SendQueue, a Session with a lock around
// it, and a transport to hand its frames to.
//
// Send appends to the queue under the queue's own mutex. Only if the queue says
// that the session waits for what it brought does it take the peer's lock and
// transmit. That lock is held over making a frame and over the transport's Send,
// which neither blocks nor calls back; never over user code.
//
// Thread-safe. Where memory ends, Send throws std::bad_alloc, and the envelope
// was not accepted. Accepted envelopes are transmitted as soon as there is
// memory again: the next frame of the peer or tick goes on with them.

#ifndef CLUSTER_SERVER_RELIABLE_PEER_H_
#define CLUSTER_SERVER_RELIABLE_PEER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>

#include "absl/types/optional.h"
#include "cluster/base/mutex.h"
#include "cluster/server/callbacks.h"
#include "cluster/server/inbox.h"
#include "cluster/server/peer.h"
#include "cluster/server/rejections.h"
#include "cluster/server/ticker.h"
#include "cluster/session/send_queue.h"
#include "cluster/session/session.h"
#include "cluster/transport/transport.h"

namespace cluster::internal {

class ReliablePeer : public Peer, public ArrivalSource, private SessionSink {
 public:
  // Serves nobody. All pointers outlive the peer.
  ReliablePeer(const SessionConfig& config, Transport* transport, Inbox* inbox,
               Callbacks* callbacks, Rejections* rejections, Ticker* ticker);

  // Never waits.
  SendOutcome Send(int id, const EnvelopeView& envelope);
  SendOutcome SendWith(int id, const EnvelopeView& envelope,
                       const SendConditions& conditions);
  // See SendQueue.
  bool Withdraw(int id, Lane lane, std::uint64_t group, std::uint64_t replaces);
  // See SendQueue::AppendLarge.
  SendOutcome SendLarge(int id, const EnvelopeView& envelope,
                        absl::optional<Batch>* encoded);
  // See SendQueue.
  bool Gathers(std::size_t bytes) { return queue_.Gathers(bytes); }
  void SendShared(const Batch& batch, const EncodeState& encode);
  // Waits until Send of this envelope may answer something else than kFull or
  // kNoMemory; false at the deadline. `conditions`: those of the Send, or null.
  bool WaitForRoom(int id, const EnvelopeView& envelope,
                   const SendConditions* conditions,
                   std::chrono::steady_clock::time_point deadline);
  // Returns the mark of all that was accepted so far, and asks the peer to tell
  // soon that it has consumed that.
  SendMark BeginFlush(int id);
  // Waits until all of the mark is acknowledged or dropped; false at the deadline.
  bool WaitFlushed(const SendMark& mark,
                   std::chrono::steady_clock::time_point deadline);
  // See Session.
  bool Probe(int id);
  // Waits until all that was accepted is with the peer, unless the peer was
  // there and went; for a shutdown.
  bool WaitReceived(std::chrono::steady_clock::time_point deadline);

  // See Session. True also without a session.
  bool MayChangeTimes() const;
  void Take(const SessionLimits& limits);

  // The server starts, as this life of its id; before it, nothing is sent.
  void Begin(std::uint64_t incarnation);
  // The own address, now that the port is known. Nothing was sent yet.
  void Bound(const std::string& address);
  // The transport is there and the address known: dial.
  absl::Status Connect(const std::string& address);
  // Says goodbye and drops the rest, counted as kStopped.
  void Leave();
  // Takes nothing more of senders; the member is about to be removed.
  void TakeNoMore();
  // Ends the membership: drops all, reports kRemoved, serves nobody. Returns the
  // counters, with those that Join got.
  PeerStats Remove();
  // Serves this member from now on, which had these counters before. It serves
  // nobody.
  void Join(int id, const PeerStats& before);

  void OnConnected(int id, std::uint64_t generation);
  void OnDisconnected(int id, std::uint64_t generation,
                      absl::string_view reason);
  void OnRefused(int id, std::uint64_t generation);
  void OnWritable(int id);
  // The input is drained: acknowledge, and send what was waiting for an
  // acknowledgement.
  void OnDrained();
  // Returns until when the next one would find nothing to do; InfinitePast: call
  // it again soon.
  absl::Time Tick(absl::Time now);
  // The next Tick looks, also at an idle session.
  void ExpectTick() {
    MutexLock lock(&mutex_);
    Touch();
  }
  PeerStats Stats() const;

  // A frame; false if its sender is not served.
  // `may_pump`: OnDrained should be called when the input is drained.
  bool OnFrame(const FrameHeader& header, Slice body, bool* may_pump,
               const FrameSource* source = nullptr);
  // The same of one in a version that this library does not speak.
  bool OnForeignVersion(const FrameHeader& header);

  void OnConsumed(const Arrival& arrival) override;
  void OnBadRecords(const Arrival& arrival, RefusalReason reason,
                    absl::string_view text) override;

 private:
  void OnArrival(Arrival arrival) override;
  void OnSessionEvent(PeerEvent event) override;

  // Call it before anything that may give the session something to do in time.
  void Touch() CLUSTER_REQUIRES(mutex_) {
    idle_until_ns_.store(kNotIdle, std::memory_order_relaxed);
    ticker_->Wake();
  }
  // Whether it was not touched since the last tick.
  bool Idle() const CLUSTER_REQUIRES(mutex_) {
    return idle_until_ns_.load(std::memory_order_relaxed) != kNotIdle;
  }
  // Ticks pass it over from now on, if the session is idle.
  void Rest() CLUSTER_REQUIRES(mutex_);
  bool Serves(int id) const CLUSTER_REQUIRES(mutex_) {
    return session_ != nullptr && config_.peer_id == id;
  }
  bool Up(int id) const CLUSTER_REQUIRES(mutex_) {
    return Serves(id) && session_->up();
  }
  void NewSession() CLUSTER_REQUIRES(mutex_);
  void RejectRecords(const Arrival& arrival, RefusalReason reason,
                     absl::string_view text);
  absl::Status Dial(const std::string& address, std::uint64_t generation)
      CLUSTER_REQUIRES(dial_mutex_);
  void Redial(bool by_watchdog) CLUSTER_EXCLUDES(dial_mutex_);
  absl::Duration SilenceMax() const;
  // Call it after the mutex is unlocked: a waiter would wake up to wait for that.
  void ReportChange() CLUSTER_EXCLUDES(mutex_);

  void Transmit();
  void Pump() CLUSTER_REQUIRES(mutex_);
  bool GiveToTransport(const Frame& frame) CLUSTER_REQUIRES(mutex_);
  // Leaves the step to the next tick if there is no memory for it.
  template <typename Step>
  void OrAtNextTick(Step step) CLUSTER_REQUIRES(mutex_) {
    try {
      step();
    } catch (const std::bad_alloc&) {
      tick_wanted_ = true;
    }
  }
  // Wakes threads that wait for envelopes which were dropped.
  void ReportDrops() CLUSTER_REQUIRES(mutex_);
  template <typename Predicate>
  bool WaitUntil(std::chrono::steady_clock::time_point deadline,
                 Predicate predicate);

  // Begin sets its incarnation, Join whose session it is, Take the live limits.
  SessionConfig config_;
  Transport* const transport_;
  Inbox* const inbox_;
  Callbacks* const callbacks_;
  Rejections* const rejections_;
  Ticker* const ticker_;

  static constexpr std::int64_t kNotIdle = 0;

  // Held over the transport's Connect. So no dial of before follows a removal or
  // a change of the address.
  Mutex dial_mutex_{LockRank::kPeerDial};

  // Before this, a Tick would find nothing to do. Written under mutex_; read
  // without it, so that an idle session is not even looked at.
  std::atomic<std::int64_t> idle_until_ns_{kNotIdle};
  mutable Mutex mutex_{LockRank::kPeer};
  CondVar changed_;
  int waiters_ CLUSTER_GUARDED_BY(mutex_) = 0;
  SendQueue queue_;  // open while there is a session
  // Null while it serves nobody.
  std::unique_ptr<Session> session_ CLUSTER_GUARDED_BY(mutex_);
  std::uint64_t drops_reported_ CLUSTER_GUARDED_BY(mutex_) = 0;  // of queue_
  PeerStats retired_ CLUSTER_GUARDED_BY(mutex_);  // of the sessions before
  std::string address_ CLUSTER_GUARDED_BY(mutex_);
  absl::Time dialled_ CLUSTER_GUARDED_BY(mutex_) = absl::InfinitePast();
  // The transport's last report of a connection or an attempt, or the last dial.
  absl::Time reported_ CLUSTER_GUARDED_BY(mutex_) = absl::InfinitePast();
  // Of the watchdog's dial without a report yet; else 0.
  std::uint64_t watchdog_generation_ CLUSTER_GUARDED_BY(mutex_) = 0;
  // To the inbox, by the call that holds mutex_.
  bool pushed_ CLUSTER_GUARDED_BY(mutex_) = false;
  // Something is left to the next tick.
  bool tick_wanted_ CLUSTER_GUARDED_BY(mutex_) = false;
  bool left_ CLUSTER_GUARDED_BY(mutex_) = false;  // the server stops
};

}  // namespace cluster::internal

#endif  // CLUSTER_SERVER_RELIABLE_PEER_H_
