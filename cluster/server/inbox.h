// Everything that waits for the application, in one order: arrivals (a frame's
// worth of records each), single envelopes, and events.
//
// One thread at a time has the reader's role; it decodes and copies without a
// lock. Taking the role in the middle of an arrival costs one atomic operation,
// and so does leaving it there. An event that an OnPeerEvent handler takes at
// once holds back only the envelopes behind it.
//
// Thread-safe. An arrival keeps its frame's bytes until its last record is
// taken. Its source hears of records that make no sense; the reader skips them.
//
//   inbox.Push(source, std::move(arrival));  // on the transport's thread
//   ...                                      // gives back its own locks
//   inbox.WakeReader();
//
//   if (inbox.BeginReading(deadline)) {      // on any thread
//     while (const EnvelopeView* next = inbox.Next()) Use(*next);
//     inbox.EndReading();
//   }

#ifndef CLUSTER_SERVER_INBOX_H_
#define CLUSTER_SERVER_INBOX_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <string>

#include "absl/base/attributes.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "cluster/base/mutex.h"
#include "cluster/base/ring.h"
#include "cluster/codec/codec.h"
#include "cluster/envelope.h"
#include "cluster/fate.h"
#include "cluster/peer_event.h"
#include "cluster/server/event_log.h"
#include "cluster/server/event_queue.h"
#include "cluster/session/session.h"
#include "cluster/stats.h"

namespace cluster::internal {

// The peer that an arrival came from. The reader calls it, with no lock held.
class ArrivalSource {
 public:
  virtual ~ArrivalSource() = default;
  // The reader has taken every record. The body is gone.
  virtual void OnConsumed(const Arrival& arrival) = 0;
  // Its records make no sense: kBadRecord, or kWrongIdentity where one names
  // another server as its sender.
  virtual void OnBadRecords(const Arrival& arrival, RefusalReason reason,
                            absl::string_view text) = 0;
};

class Inbox {
 public:
  // The taker of events.
  enum class EventTaker : std::uint8_t {
    kNobody,    // PushEvent drops them
    kReader,    // the reader, in their places
    kReporter,  // any other thread, at once
  };

  // Gives the reader's role back at its end.
  class Reading {
   public:
    explicit Reading(Inbox* inbox) : inbox_(inbox) {}
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;
    ~Reading() { inbox_->EndReading(); }

   private:
    Inbox* const inbox_;
  };

  // A place for the fate of an envelope that is about to be sent, so that PushFate
  // needs no memory. Given back unless the envelope was accepted.
  class FatePlace {
   public:
    // Without an inbox none is wanted.
    explicit FatePlace(Inbox* inbox)
        : inbox_(inbox != nullptr && inbox->ExpectFate() ? inbox : nullptr),
          there_(inbox == inbox_) {}
    FatePlace(const FatePlace&) = delete;
    FatePlace& operator=(const FatePlace&) = delete;
    ~FatePlace() {
      if (inbox_ != nullptr) inbox_->ExpectFateNoMore();
    }
    // False: kFatesMax are expected or wait.
    bool there() const { return there_; }
    void Accepted() { inbox_ = nullptr; }

   private:
    Inbox* inbox_;
    const bool there_;
  };

  // `self_id` is whom envelopes must be addressed to; `bytes_max` bounds what
  // PushEnvelope takes.
  Inbox(int self_id, std::size_t payload_bytes_max, std::size_t bytes_max);
  ~Inbox();
  int self_id() const { return self_id_; }
  void SetBytesMax(std::size_t bytes_max);
  static constexpr std::size_t kFatesMax = 1u << 16;

  // Before the server starts: `log` hears of each event.
  void SetLog(EventLog* log) { log_ = log; }
  // Call it before the server starts. The default is kNobody.
  void SetEventTaker(EventTaker taker) { event_taker_ = taker; }

  // An arrival that a window has room for; after Close it is only counted.
  // WakeReader has to follow.
  void Push(ArrivalSource* source, Arrival arrival);
  // Call it without a lock that the reader may want: it would wake up to sleep
  // again.
  void WakeReader() {
    if (wake_due_.load(std::memory_order_relaxed) &&
        wake_due_.exchange(false, std::memory_order_relaxed))
      readable_.NotifyOne();
    if (notify_due_.load(std::memory_order_relaxed)) WriteNotification();
  }

  // An envelope that no window bounds: false if there is no room, or when
  // closed. One that names this server as its sender is in the own accounts.
  // `fate`: tell the sink once it is acknowledged; one was expected. `moved`: its
  // payload, which is taken and not copied; or null.
  bool PushEnvelope(const EnvelopeView& envelope, bool fate = false,
                    std::string* moved = nullptr);
  // Waits until PushEnvelope would take `payload_bytes`; false at the deadline
  // or when closed.
  bool WaitForRoom(std::size_t payload_bytes,
                   std::chrono::steady_clock::time_point deadline);
  // Takes its place behind all that was pushed before. WakeReader has to follow.
  // Throws std::bad_alloc where memory ends, and has pushed nothing.
  void PushEvent(PeerEvent event);

  // A fate that OnFate is to hear; it has a FatePlace. True: no other one waits, so
  // somebody should be woken.
  bool PushFate(const Fate& fate);
  bool fates_wait() const {
    return fates_wait_.load(std::memory_order_relaxed);
  }
  // Calls `report` with the first. False: there is none, or another thread is in
  // a handler.
  bool ReportFate(absl::FunctionRef<void(const Fate&)> report);
  // Before the server starts. `sink` hears of own envelopes. `by_reader`: fates are
  // the reader's to report.
  void SetFates(FateSink* sink, bool by_reader) {
    fate_sink_ = sink;
    fates_by_reader_ = by_reader;
  }

  // Takes the reader's role when there is something to read: by `deadline`, or
  // false. False when closed. Nothing behind an event that is not reported yet is to be read.
  bool BeginReading(std::chrono::steady_clock::time_point deadline);
  // The same without waiting.
  bool TryBeginReading();
  // The same only where the last reader left records behind.
  bool TryContinueReading();
  // With the role: the next envelope, valid until the next call; null if none
  // is at hand or an event is next.
  const EnvelopeView* Next();
  // With the role: the arrival that the envelope came in which Next returned last;
  // null if it came alone.
  const Arrival* current() const {
    return current_.envelope ? nullptr : &current_.arrival;
  }
  // With the role: the envelope that Next returned last is to be returned again.
  void PutBack();
  // Gives the role back.
  void EndReading();

  // Calls `report` with the first event, which keeps its place meanwhile. False:
  // there is no event, or another thread reports one. Where events are the
  // reader's, call it with the role; false also while the event is not next.
  bool ReportEvent(absl::FunctionRef<void(const PeerEvent&)> report);

  // With the role, where events are the reader's: takes the event that is next, if
  // one is.
  absl::optional<PeerEvent> TakeEvent();

  // A descriptor that is readable while something is to be read, and once it is
  // closed. The inbox owns it. kResourceExhausted: the system gives none.
  absl::StatusOr<int> NotifyFd();

  // From now on nothing is read or waited for. Unread items stay in bytes(); own
  // envelopes are dropped from their accounts.
  void Close();
  bool closed() const { return closed_; }

  // The accounts of the server's own envelopes, as PeerStats has them: in
  // flight is the one that the reader is at.
  PeerStats OwnStats() const;
  // Waits until so many of those that were accepted are acknowledged, or
  // dropped; false at the deadline.
  bool WaitOwn(std::uint64_t accepted,
               std::chrono::steady_clock::time_point deadline);

  // Of what is not taken: a single envelope is as soon as Next returns it, an
  // arrival before its source hears of it.
  std::size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  std::uint64_t delivered() const {
    return delivered_.load(std::memory_order_relaxed);
  }
  // Of arrivals and single envelopes, since the server was made.
  struct Progress {
    std::uint64_t pushed = 0;
    std::uint64_t taken = 0;  // whole
  };
  Progress progress() const;

 private:
  // An arrival, or an envelope.
  struct Item {
    ArrivalSource* source = nullptr;
    Arrival arrival;
    // Not there in most, and then nothing that is moved.
    absl::optional<Envelope> envelope;
    bool own = false;
    bool fate = false;  // of an own one
    std::size_t bytes = 0;
  };

  // The reader's role. Only a holder of mutex_ changes kFree and sets kWanted.
  // Any thread may take kBegun, and the thread that has the role leaves it.
  enum class Role : std::uint8_t {
    kFree,
    kBegun,    // free, and the last reader left records of current_ behind
    kReading,  // taken
    kWanted,   // taken, and somebody waits for it
  };

  bool ExpectFate();
  void ExpectFateNoMore();
  bool EventIsNext() const CLUSTER_REQUIRES(mutex_);
  bool Readable() const CLUSTER_REQUIRES(mutex_);
  bool ReaderIsDue() const CLUSTER_REQUIRES(mutex_);
  bool HasRoom(std::size_t payload_bytes) const CLUSTER_REQUIRES(mutex_);
  bool TakeRole() CLUSTER_REQUIRES(mutex_);
  void Notify() CLUSTER_REQUIRES(mutex_);
  void WriteNotification();
  void NotifyNoMore();
  void LeaveRole(Role left);
  void PushItem(Item item) CLUSTER_REQUIRES(mutex_);
  void GiveRoom(std::size_t bytes) CLUSTER_REQUIRES(mutex_);
  bool NextItem();
  bool NextOfCurrent();
  // To make room for the texts of these would be most of what a record costs.
  ABSL_ATTRIBUTE_NOINLINE bool NextWithoutRecord();
  ABSL_ATTRIBUTE_NOINLINE void RejectRecord(const absl::Status& status);
  void Reject(absl::string_view text,
              RefusalReason reason = RefusalReason::kBadRecord);
  void Settle();
  void AcknowledgeOwn();

  const int self_id_;
  const std::size_t payload_bytes_max_;

  mutable Mutex mutex_;
  std::size_t bytes_max_ CLUSTER_GUARDED_BY(mutex_);
  CondVar readable_;
  CondVar room_;
  Ring<Item> items_ CLUSTER_GUARDED_BY(mutex_);
  // Items, ever.
  std::uint64_t pushed_ CLUSTER_GUARDED_BY(mutex_) = 0;
  // The place of each is pushed_ as it was then.
  EventQueue events_ CLUSTER_GUARDED_BY(mutex_);
  std::atomic<bool> event_waits_{false};  // events_ is not empty
  // The place of the event that a handler is at.
  absl::optional<std::uint64_t> reporting_ CLUSTER_GUARDED_BY(mutex_);
  EventLog* log_ = nullptr;
  EventTaker event_taker_ = EventTaker::kNobody;
  FateSink* fate_sink_ = nullptr;
  bool fates_by_reader_ = false;
  std::list<Fate> fates_ CLUSTER_GUARDED_BY(mutex_);
  std::list<Fate> fates_expected_
      CLUSTER_GUARDED_BY(mutex_);                    // places for them
  std::atomic<bool> fates_wait_{false};              // fates_ is not empty
  bool telling_ CLUSTER_GUARDED_BY(mutex_) = false;  // a handler is at one
  std::atomic<std::size_t> bytes_{0};
  // Of bytes_, PushEnvelope's.
  std::size_t envelope_bytes_ CLUSTER_GUARDED_BY(mutex_) = 0;
  int readers_waiting_ CLUSTER_GUARDED_BY(mutex_) = 0;
  std::atomic<bool> wake_due_{false};
  int senders_waiting_ CLUSTER_GUARDED_BY(mutex_) = 0;
  CondVar own_settled_;
  // All but the next one.
  PeerStats own_ CLUSTER_GUARDED_BY(mutex_);
  std::atomic<std::uint64_t> own_acknowledged_{0};
  std::atomic<int> own_waiters_{0};  // changed with the lock held
  // -1 until NotifyFd. Whether it is readable, or about to be: WakeReader is still
  // to write to it.
  std::atomic<int> notify_fd_{-1};  // set with the lock held
  bool notified_ CLUSTER_GUARDED_BY(mutex_) = false;
  std::atomic<bool> notify_due_{false};
  std::atomic<Role> role_{Role::kFree};
  std::atomic<bool> closed_{false};  // set with the lock held
  std::atomic<std::uint64_t> delivered_{0};
  std::atomic<std::uint64_t> settled_{0};  // items; the reader writes it

  // The reader's.
  Item current_;
  bool has_current_ = false;
  const Codec* codec_ = nullptr;
  DecodeState decode_;  // has the envelope that Next returned last
  absl::string_view rest_;
  bool put_back_ = false;
  absl::string_view behind_;  // it, of current_
  int sender_ = 0;            // whom records of current_ must name
  std::uint64_t taken_ = 0;   // of current_
};

}  // namespace cluster::internal

#endif  // CLUSTER_SERVER_INBOX_H_
