// Inbox: what has arrived and was not taken yet, in order.
//
// What it is: a queue of whole arrivals (a frame's worth of records each) and
// of single envelopes, from which envelopes are decoded one by one by whoever
// reads. Reading is a role that one thread at a time has, so decoding and
// copying need no lock; and to take the role where the last reader left it, in
// the middle of an arrival, and to leave it there again, costs one atomic
// operation each. What it is not: a bound on peers (their windows are), or the
// one who calls handlers (Callbacks is).
//
// Threads: safe. Ownership: an arrival keeps its frame's bytes until its last
// record was taken. Errors: records that make no sense are told to their
// source, and skipped.
//
//   inbox.Push(source, std::move(arrival));  // on the transport's thread
//   ...                                      // gives back locks of its own
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
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "absl/base/attributes.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "cluster/base/ring.h"
#include "cluster/codec/codec.h"
#include "cluster/envelope.h"
#include "cluster/session/link.h"
#include "cluster/stats.h"

namespace cluster {

// Where arrivals come from, and who is told what became of them. Called by the
// reader, with no lock held.
class ArrivalSource {
 public:
  virtual ~ArrivalSource() = default;
  // Every record of the arrival was taken. Its body is gone.
  virtual void OnConsumed(const Arrival& arrival) = 0;
  // Its records make no sense: kBadRecord, or kWrongIdentity where one names
  // another server as its sender.
  virtual void OnBadRecords(const Arrival& arrival, RefusalReason reason,
                            absl::string_view text) = 0;
};

class Inbox {
 public:
  // Gives the reader's role back, that was taken before, at its end.
  class Reading {
   public:
    explicit Reading(Inbox* inbox) : inbox_(inbox) {}
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;
    ~Reading() { inbox_->EndReading(); }

   private:
    Inbox* const inbox_;
  };

  // `self_id` is whom envelopes must be addressed to; `bytes_max` bounds what
  // PushEnvelope takes.
  Inbox(int self_id, std::size_t payload_bytes_max, std::size_t bytes_max);
  int self_id() const { return self_id_; }

  // An arrival that a window has room for; after Close it is only counted. Who
  // waits for it hears of it by the WakeReader that has to follow.
  void Push(ArrivalSource* source, Arrival arrival);
  // Call it without a lock that the reader may want: it would wake up to sleep
  // again.
  void WakeReader() {
    if (wake_due_.load(std::memory_order_relaxed) &&
        wake_due_.exchange(false, std::memory_order_relaxed))
      readable_.notify_one();
  }

  // An envelope that no window bounds: false if there is no room, or when
  // closed. One that names this server as its sender is in the own accounts.
  bool PushEnvelope(const EnvelopeView& envelope);
  // Waits until PushEnvelope would take `payload_bytes`; false at the deadline
  // or when closed.
  bool WaitForRoom(std::size_t payload_bytes,
                   std::chrono::steady_clock::time_point deadline);
  // A place in the order at which Next stops; one `again` where the last is one
  // already.
  void PushMarker(bool again);

  // Takes the reader's role when there is something to read: by `deadline`, or
  // false. False when closed.
  bool BeginReading(std::chrono::steady_clock::time_point deadline);
  // The same without waiting.
  bool TryBeginReading();
  // The same only where the last reader left records behind.
  bool TryContinueReading();
  // With the role: the next envelope, valid until the next call; null if none
  // is at hand or a marker is next.
  const EnvelopeView* Next();
  // With the role: the envelope that Next returned last is to be returned again.
  void PutBack();
  // With the role: whether a marker is next; and takes it.
  bool AtMarker() const;
  bool TakeMarker();
  // Gives the role back.
  void EndReading();

  // From now on nothing is read or waited for. What is here stays in bytes();
  // own envelopes are dropped from their accounts.
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

 private:
  struct Item {
    enum class Kind { kArrival, kEnvelope, kMarker } kind = Kind::kArrival;
    ArrivalSource* source = nullptr;
    Arrival arrival;
    // Not there in most, and then nothing that is moved.
    absl::optional<Envelope> envelope;
    bool own = false;
    std::size_t bytes = 0;
  };

  // Who reads. Only a holder of mutex_ changes kFree and sets kWanted; anybody
  // may take kBegun, and who has the role leaves it.
  enum class Role : std::uint8_t {
    kFree,
    kBegun,    // free, and the last reader left records of current_ behind
    kReading,  // taken
    kWanted,   // taken, and somebody waits for it
  };

  static bool IsMarker(const Item& item);
  bool HasRoom(std::size_t payload_bytes) const;
  bool TakeRole();
  void LeaveRole(Role left);
  void PushItem(Item item);
  void TakeRoom(std::size_t bytes);
  void GiveRoom(std::size_t bytes);
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
  const std::size_t bytes_max_;

  mutable std::mutex mutex_;
  std::condition_variable readable_;
  std::condition_variable room_;
  Ring<Item> items_;
  std::atomic<std::size_t> bytes_{0};
  std::size_t envelope_bytes_ = 0;  // of them, PushEnvelope's
  int readers_waiting_ = 0;
  std::atomic<bool> wake_due_{false};
  int senders_waiting_ = 0;
  std::condition_variable own_settled_;
  PeerStats own_;  // all but what follows
  std::atomic<std::uint64_t> own_acknowledged_{0};
  std::atomic<int> own_waiters_{0};  // changed with the lock held
  std::atomic<Role> role_{Role::kFree};
  std::atomic<bool> closed_{false};  // set with the lock held
  std::atomic<std::uint64_t> delivered_{0};

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

}  // namespace cluster

#endif  // CLUSTER_SERVER_INBOX_H_
