// Envelopes that were accepted for one peer and not yet transmitted.
//
// Senders append; the peer's session takes batches, the most urgent lane first.
// The mutex is held over one encoding, or over taking one batch, and over nothing
// else. A Take that leaves nothing wanted behind notes what the session would
// take next. The Append that brings that tells its caller, so no wake-up is lost.
// ARCHITECTURE.md has the whole picture.
//
// Thread-safe; Take, PutBack, Restart and the setters are the session's, whose
// lock is taken before this mutex. Where memory ends a call throws
// std::bad_alloc, and all is as it was.
//
//   const Appended appended = queue.Append(2, envelope);
//   if (appended.wanted) session.Transmit();  // which calls queue.Take(...)

#ifndef CLUSTER_SESSION_SEND_QUEUE_H_
#define CLUSTER_SESSION_SEND_QUEUE_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/base/optimization.h"
#include "absl/functional/function_ref.h"
#include "absl/types/optional.h"
#include "cluster/base/mutex.h"
#include "cluster/base/ring.h"
#include "cluster/codec/codec.h"
#include "cluster/envelope.h"
#include "cluster/session/batch.h"
#include "cluster/session/memory_budget.h"
#include "cluster/session/open_batch.h"
#include "cluster/session/send_window.h"
#include "cluster/session/session_config.h"
#include "cluster/stats.h"

namespace cluster::internal {

inline constexpr std::array<Lane, kLanes> kLanesByUrgency = {
    Lane::kUrgent, Lane::kNormal, Lane::kBulk};

enum class SendOutcome {
  kAccepted,
  kFull,          // no room now
  kNoMemory,      // the same for memory_bytes_max, with all peers together
  kTooLarge,      // over payload_bytes_max, this server's or the peer's, or
                  // without a session over what a transport carries
  kRemoved,       // no member any more
  kDown,          // only_if_up, and the peer is not up
  kTooManyFates,  // OnFate's handler does not keep up
};

// All that was accepted until one moment: the last ordinal of each lane.
using SendMark = std::array<std::uint64_t, kLanes>;

struct Appended {
  SendOutcome outcome;
  // The session should transmit, or hear that something was dropped.
  bool wanted = false;
};

// The frames of a lane that a session would transmit now.
enum class Want : std::uint8_t {
  kNothing,
  kFull,  // a batch that takes no more records
  kAny,
};

class SendQueue {
 public:
  // The next frame's records.
  struct Taken {
    SendWindow::Sent sent;  // without its header
    // Whether a full batch of the lane waits behind it.
    bool full_behind = false;
    // Whether the session wants something more that is here already. If not,
    // senders know what it waits for.
    bool more = false;
  };

  // Serves nobody. The config outlives it; of it the queue needs no ids, and reads no
  // live limit later.
  explicit SendQueue(const SessionConfig& config);
  SendQueue(const SendQueue&) = delete;
  SendQueue& operator=(const SendQueue&) = delete;

  // --- senders ---

  // Encodes the envelope at the end of its lane; a large payload without the
  // mutex. `peer`: the member that it is for; kRemoved if another one is served.
  // Bounded by queue_bytes_max; answers may use answer_bytes_reserved more.
  // However full the other lanes are, the urgent and
  // the normal lane may each use an eighth of it. So a large payload in the bulk
  // lane shuts no vote out. An empty queue takes any payload that is within
  // payload_bytes_max.
  Appended Append(int peer, const EnvelopeView& envelope);
  // The same for a payload over LoneBytes that goes to several peers. Leaves the
  // batch of EncodeLarge in `encoded`, for the next peer.
  Appended AppendLarge(int peer, const EnvelopeView& envelope,
                       absl::optional<Batch>* encoded);
  // The same for an envelope with options, which waits as a batch of its own. Until
  // it is taken it may expire, or be replaced.
  Appended AppendWith(int peer, const EnvelopeView& envelope,
                      const RecordOptions& options);
  // The same of a payload that is elsewhere, with options or null. Unless it is
  // accepted, a moved payload is as it was.
  Appended AppendFrom(int peer, const EnvelopeView& envelope,
                      const RecordOptions* options,
                      const PayloadSource& payload);
  // Drops the envelope with that key, if it was never transmitted: not even to an
  // earlier life of the peer. True: the session should hear of it.
  bool Withdraw(int peer, Lane lane, std::uint64_t group,
                std::uint64_t replaces);
  // Takes the records of a small batch that is shared with other peers, and
  // returns whether the session should transmit. There was room (Gathers).
  // `encode` is the state after the last of them. Does nothing while nobody is
  // served.
  bool AppendShared(const Batch& batch, const EncodeState& encode);
  // Whether `bytes` more in kGatheringLane would only wait with what waits
  // already, and there is room for them. True while nobody is served.
  bool Gathers(std::size_t bytes);
  // The answer of Append; kFull and kNoMemory also where it would drop.
  // `with_options`: the answer of AppendWith.
  SendOutcome MayAppend(int peer, const EnvelopeView& envelope,
                        bool with_options = false);

  // --- the session ---

  // Serves `peer` from now on. The share is borrowed until Close.
  void Open(int peer, MemoryShare* share);
  // Takes nothing more of senders. The session takes all that is there as before.
  void TakeNoMore();
  // Drops all, counted by `reason`, and serves nobody. The counters stay until
  // Open.
  void Close(DropReason reason);
  // Takes the live ones of these limits. Accepted envelopes stay, however full it is.
  void SetLimits(const SessionLimits& limits);
  // The peer's own limits. Append refuses larger payloads. Larger ones that were
  // accepted before are dropped, and counted, when they would be taken.
  void SetPeerLimits(std::size_t payload_bytes_max, std::uint64_t features);

  // Returns the wish for a lane whose first frame has so many bytes; 0: the lane
  // is empty. `ahead`, unless null, was taken just before. It must
  // not call the queue.
  using WantOf = absl::FunctionRef<Want(Lane lane, std::size_t body_bytes,
                                        const SendWindow::Sent* ahead)>;
  // Takes the next frame's records from the most urgent lane that has what the
  // session wants of it. `held_bytes`: as for SetTransmitted.
  absl::optional<Taken> Take(std::size_t held_bytes, WantOf want);
  // The time from which the next envelopes wait, in nanoseconds of the config's
  // clock. So an envelope that waits needs no look at the clock. Without a lock.
  void SetNow(std::int64_t now_ns) {
    now_ns_.store(now_ns, std::memory_order_relaxed);
  }
  // Nobody will say the time for a while: envelopes that only wait look at the
  // clock, once a batch.
  void SetIdle() { SetNow(kIdle); }
  // Nothing can be transmitted, so no sender should say that it is wanted.
  void WantNothing();
  // How many bytes the session holds of what it took. Gives back memory that is
  // not needed any more.
  void SetTransmitted(std::size_t bytes);

  // A new session: large records that were cut in part begin anew.
  void Restart();
  // Puts back what was taken, to be taken next; the bound does not apply. The
  // chunks of one record are put back as one. `transmitted`: it was, to an
  // earlier life of the peer.
  void PutBack(Batch batch, bool transmitted);
  // After that: options of what was put back count again. Drops what a newer
  // envelope replaces, and returns how many of those were transmitted.
  std::uint64_t Resume();

  // --- facts ---

  // All that was accepted so far. An ordinal counts from 1, and an envelope keeps
  // its own when it is put back.
  SendMark Mark() const;
  // When DropExpired may have something to do, by the config's clock; readable
  // without a lock.
  std::int64_t expires_ns() const {
    return expires_ns_.load(std::memory_order_relaxed);
  }
  // Whether nothing of that waits here.
  bool Passed(const SendMark& mark) const;
  bool Empty() const;
  // Of the share: what waits here, and what the session holds.
  std::size_t held_bytes() const;
  // How many accepted envelopes were dropped since Open.
  std::uint64_t dropped() const;
  // Adds the counters since Open.
  void AddTo(PeerStats* stats) const;

 private:
  static constexpr std::int64_t kNever =
      std::numeric_limits<std::int64_t>::max();

  struct LaneQueue {
    LaneQueue(const SessionConfig& config, Lane lane) : open(config, lane) {}

    Want want = Want::kNothing;  // of the last Take
    bool woken = true;           // the session will come, or wants nothing
    OpenBatch open;
    Ring<Batch> closed;
    std::size_t closed_bytes = 0;
    std::uint64_t closed_records = 0;
    std::uint64_t accepted = 0;  // before those of `open`
    std::int64_t open_since_ns = Batch::kNoWait;
    // Of `closed`: those that join their neighbours; and places of envelopes that
    // were dropped there. The first place is never one of those.
    std::size_t joining = 0;
    std::size_t gone = 0;

    bool empty() const { return closed.empty() && open.empty(); }
    std::size_t bytes() const { return closed_bytes + open.batch().body_bytes; }
    std::uint64_t envelopes() const {
      return closed_records + open.batch().records;
    }
    std::int64_t since_ns() const {
      return closed.empty() ? open_since_ns : closed.front().since_ns;
    }
    const Batch& front() const {
      return closed.empty() ? open.batch() : closed.front();
    }
    std::uint64_t front_ordinal() const {
      return closed.empty() ? accepted + 1 : closed.front().first_ordinal;
    }
    std::uint64_t last_ordinal() const {
      return accepted + open.batch().records;
    }

    // `closed` takes a batch, and loses it.
    void Count(const Batch& batch) {
      closed_bytes += Charge(batch);
      closed_records += batch.records;
      joining += batch.joins ? 1 : 0;
    }
    void Discount(const Batch& batch) {
      closed_bytes -= Charge(batch);
      closed_records -= batch.records;
      joining -= batch.joins ? 1 : 0;
    }
    // Leaves an empty place, or fills it again.
    Batch TakeAt(std::size_t index);
    void RestoreAt(std::size_t index, Batch batch);
    void DropGone() {
      while (!closed.empty() && closed.front().records == 0) {
        closed.DropFront();
        --gone;
      }
    }
    void PushBack(Batch batch) {
      batch.first_ordinal = accepted + 1;
      accepted += batch.records;
      Count(batch);
      closed.PushBack(std::move(batch));
    }
  };

  // Batches at the front of a lane that leave in one frame.
  struct Run {
    std::size_t batches = 0;
    std::size_t bytes = 0;
    bool with_open = false;
  };
  // The envelope that a newer one of the same key replaces, by the lane, the group
  // and the key.
  using ReplacesKey = std::tuple<Lane, std::uint64_t, std::uint64_t>;
  static ReplacesKey KeyOf(const Batch& batch) {
    return {batch.lane, batch.options->group, batch.options->replaces};
  }

  // Many small batches cost more than their bytes.
  static std::size_t Charge(const Batch& batch) {
    return batch.joins ? FrameCharge(batch.capacity) : batch.body_bytes;
  }

  std::int64_t now_ns() const {
    const std::int64_t now_ns = now_ns_.load(std::memory_order_relaxed);
    return now_ns == kIdle ? absl::ToUnixNanos(config_.clock()) : now_ns;
  }
  // After records were added to the open batch. `first`: it had none.
  bool WakesForOpen(bool first, LaneQueue* queue) CLUSTER_REQUIRES(mutex_) {
    const bool wakes = !queue->woken && Wakes(queue);
    if (first) queue->open_since_ns = wakes ? Batch::kNoWait : now_ns();
    return wakes;
  }

  LaneQueue& At(Lane lane) CLUSTER_REQUIRES(mutex_) {
    return lanes_[static_cast<std::size_t>(lane)];
  }
  const LaneQueue& At(Lane lane) const CLUSTER_REQUIRES(mutex_) {
    return lanes_[static_cast<std::size_t>(lane)];
  }

  Appended AppendChecked(int peer, const EnvelopeView& envelope);
  Appended AppendLarge(int peer, const EnvelopeView& envelope,
                       absl::optional<Batch>* encoded,
                       const RecordOptions* options,
                       const PayloadSource& payload);
  Appended MayAppendLarge(int peer, const EnvelopeView& envelope,
                          const RecordOptions* options);
  Batch Encode(const EnvelopeView& envelope, absl::optional<Batch>* encoded,
               const RecordOptions* options,
               const PayloadSource& payload) const;
  void Finish(Batch* batch);

  SendOutcome Check(int peer, const EnvelopeView& envelope) const
      CLUSTER_REQUIRES(mutex_);
  bool HasRoom(Lane lane, std::size_t bytes, bool answer = false) const
      CLUSTER_REQUIRES(mutex_);
  SendOutcome Room(Lane lane, std::size_t bytes, std::size_t headers,
                   bool answer) CLUSTER_REQUIRES(mutex_);
  SendOutcome Refuse(SendOutcome outcome) CLUSTER_REQUIRES(mutex_);
  SendOutcome MakeRoom(Lane newcomer, std::size_t bytes, std::size_t headers)
      CLUSTER_REQUIRES(mutex_);
  std::size_t DroppableFor(Lane newcomer) const CLUSTER_REQUIRES(mutex_);
  bool MayDropFor(Lane newcomer, Lane lane) const CLUSTER_REQUIRES(mutex_);
  void DropOldestFor(Lane newcomer) CLUSTER_REQUIRES(mutex_);
  void DropFront(LaneQueue* queue) CLUSTER_REQUIRES(mutex_);
  void Drop(DropReason reason, std::uint64_t envelopes)
      CLUSTER_REQUIRES(mutex_) {
    dropped_[static_cast<std::size_t>(reason)] += envelopes;
    unsaid_drops_ = true;
  }
  bool SayDrops() CLUSTER_REQUIRES(mutex_) {
    return std::exchange(unsaid_drops_, false);
  }
  static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);
  static std::size_t PlaceOf(const LaneQueue& queue, std::uint64_t ordinal);
  std::size_t JoiningCharge(Lane lane, std::size_t bytes) const
      CLUSTER_REQUIRES(mutex_);
  SendOutcome RoomFor(const Batch& batch, bool answer) CLUSTER_REQUIRES(mutex_);
  bool HasFull(const LaneQueue& queue) const CLUSTER_REQUIRES(mutex_);
  // Envelopes with options. The first is cheap while none expires.
  void DropExpired() CLUSTER_REQUIRES(mutex_) {
    if (ABSL_PREDICT_FALSE(expires_ns() != kNever)) DropExpiredNow();
  }
  void DropExpiredNow() CLUSTER_REQUIRES(mutex_);
  void DropAt(LaneQueue* queue, std::size_t index, DropReason reason)
      CLUSTER_REQUIRES(mutex_);
  void Tidy(LaneQueue* queue) CLUSTER_REQUIRES(mutex_);
  void Forget(const Batch& batch) CLUSTER_REQUIRES(mutex_);
  void NoteExpiry(const Batch& batch) CLUSTER_REQUIRES(mutex_);
  bool Fits(std::uint64_t features, const Batch& batch) const
      CLUSTER_REQUIRES(mutex_) {
    return (features & ~features_) == 0 &&
           batch.payload_bytes_longest <= payload_bytes_max_;
  }
  Run FrontRun(const LaneQueue& queue) const CLUSTER_REQUIRES(mutex_);
  std::size_t NextBodyBytes(const LaneQueue& queue) const
      CLUSTER_REQUIRES(mutex_);
  void TakeRun(const Run& run, LaneQueue* queue, SendWindow::Sent* sent)
      CLUSTER_REQUIRES(mutex_);
  absl::optional<std::vector<Batch>> Parts(const Batch& batch) const;
  void PushClosed(Batch batch, LaneQueue* queue) CLUSTER_REQUIRES(mutex_);
  void CloseOpen(LaneQueue* queue, bool joins = false) CLUSTER_REQUIRES(mutex_);
  bool AppendOpen(const EnvelopeView& envelope, std::size_t bytes_max,
                  LaneQueue* queue) CLUSTER_REQUIRES(mutex_);
  bool Wakes(LaneQueue* queue) CLUSTER_REQUIRES(mutex_);
  LaneQueue* Pick(WantOf want, const SendWindow::Sent* ahead)
      CLUSTER_REQUIRES(mutex_);
  void WakeNobody() CLUSTER_REQUIRES(mutex_);
  bool DropUnfit(LaneQueue* queue) CLUSTER_REQUIRES(mutex_);
  void TakeFront(LaneQueue* queue, SendWindow::Sent* sent)
      CLUSTER_REQUIRES(mutex_);
  void TakeChunk(LaneQueue* queue, SendWindow::Sent* sent)
      CLUSTER_REQUIRES(mutex_);
  // Of all lanes.
  std::size_t Bytes() const CLUSTER_REQUIRES(mutex_);
  std::size_t batch_bytes() const {
    return batch_bytes_.load(std::memory_order_relaxed);
  }
  std::size_t Held() const CLUSTER_REQUIRES(mutex_) {
    return Bytes() + transmitted_bytes_;
  }
  void HoldTransmitted(std::size_t bytes) CLUSTER_REQUIRES(mutex_);
  void LimitPayloads(std::size_t bytes_max) CLUSTER_REQUIRES(mutex_);
  std::uint64_t Accepted() const CLUSTER_REQUIRES(mutex_);

  const SessionConfig& config_;
  const std::size_t lone_bytes_;   // a payload over this is large
  const std::size_t chunk_bytes_;  // a record over this is large
  // A batch with this much is full. Written under mutex_.
  std::atomic<std::size_t> batch_bytes_;

  // The buffer of a batch that was copied, for the next Take; the session's.
  Batch recycled_;

  // Away from what the session writes. An append needs the first four and its
  // lane: where several threads send to one peer, each fetches their cache lines
  // anew.
  alignas(64) mutable Mutex mutex_{LockRank::kSendQueue};
  int peer_ CLUSTER_GUARDED_BY(mutex_);
  // A payload up to this is allowed, and not large.
  std::uint32_t small_bytes_max_ CLUSTER_GUARDED_BY(mutex_) = 0;
  // So many may be appended before the bounds are looked at again: once a frame,
  // and not for every envelope.
  std::size_t unchecked_bytes_ CLUSTER_GUARDED_BY(mutex_) = 0;
  // Own and the peer's.
  std::size_t payload_bytes_max_ CLUSTER_GUARDED_BY(mutex_);
  // Of the config, which may change meanwhile.
  std::size_t queue_bytes_max_ CLUSTER_GUARDED_BY(mutex_);
  std::size_t answer_bytes_reserved_ CLUSTER_GUARDED_BY(mutex_);
  Overflow overflow_ CLUSTER_GUARDED_BY(mutex_);
  std::size_t transmitted_bytes_ CLUSTER_GUARDED_BY(mutex_) = 0;
  Batch spare_ CLUSTER_GUARDED_BY(mutex_);  // has a buffer, or none
  MemoryShare* share_ CLUSTER_GUARDED_BY(mutex_) = nullptr;
  std::array<LaneQueue, kLanes> lanes_ CLUSTER_GUARDED_BY(mutex_);
  std::uint64_t features_ CLUSTER_GUARDED_BY(mutex_) = 0;         // of the peer
  std::uint64_t accepted_before_ CLUSTER_GUARDED_BY(mutex_) = 0;  // Open
  std::uint64_t memory_refused_ CLUSTER_GUARDED_BY(mutex_) = 0;
  std::array<std::uint64_t, kDropReasons> dropped_ CLUSTER_GUARDED_BY(mutex_){};
  bool unsaid_drops_ CLUSTER_GUARDED_BY(mutex_) = false;  // to the session
  // The ordinals of those that may be replaced.
  std::map<ReplacesKey, std::uint64_t> latest_ CLUSTER_GUARDED_BY(mutex_);
  // Not later than the first that expires; written under mutex_.
  std::atomic<std::int64_t> expires_ns_{kNever};
  static constexpr std::int64_t kIdle = 0;
  std::atomic<std::int64_t> now_ns_{kIdle};
};

inline bool SendQueue::AppendOpen(const EnvelopeView& envelope,
                                  std::size_t bytes_max, LaneQueue* queue) {
  const bool first = queue->open.empty();
  const std::size_t bytes = queue->open.Append(envelope, bytes_max);
  unchecked_bytes_ -= std::min(bytes, unchecked_bytes_);
  return WakesForOpen(first, queue);
}

// Here, since every envelope is through it.
//
// The mutex is held for some hundred instructions. A sender that finds it taken
// tries a few times more and yields once before it blocks. A sleep would cost the
// holder a system call too. That was a tenth of all CPU time with four threads
// that send to one peer on two processors. Without the tries a stream to a reader was 10 %
// slower. With 16 of them those four threads were a third slower.
inline Appended SendQueue::Append(int peer, const EnvelopeView& envelope) {
  const std::size_t bytes_max = config_.codec->RecordBytesMax(envelope);
  {
    const MutexLock lock(&mutex_, MutexLock::kYield);
    LaneQueue& queue = At(envelope.lane);
    if (ABSL_PREDICT_TRUE(peer == peer_ && bytes_max <= unchecked_bytes_ &&
                          envelope.payload.size() <= small_bytes_max_ &&
                          queue.open.Fits(bytes_max)))
      return {SendOutcome::kAccepted, AppendOpen(envelope, bytes_max, &queue)};
  }
  return AppendChecked(peer, envelope);
}

}  // namespace cluster::internal

#endif  // CLUSTER_SESSION_SEND_QUEUE_H_
