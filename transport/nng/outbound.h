// Outbound: all that goes to one peer: its queue, the connection that is there
// or being dialled, and the promise of OnWritable.
//
// A small state machine (waiting, dialling, greeting, announcing, connected,
// losing) under one lock. OnConnected comes when the listener has accepted the
// greeting; frames follow it. A frame to an idle connection is written on the
// sender's thread; while a write is under way frames queue up and the next write
// takes as many as fit. When a connection is lost, frames of which no byte was
// written go to the next one, the others are lost: a frame is never sent twice.
//
// Threads: everything from any thread. The handler is called on nng's threads
// and the caretaker's, without the lock, and for one peer in order: OnConnected
// and OnDisconnected take turns (a failed attempt is an OnDisconnected too).
// Each carries the generation of the Connect that the attempt was made for. A
// call that was about to begin when Disconnect came may still run, and may come
// after calls of a later generation; none begins later. Ownership: shared by the
// transport, the caretaker and whatever is under way. Errors: of connections, to the handler as text.
//
//   auto outbound = std::make_shared<Outbound>(context, 2, address, 1);
//   caretaker.Add(outbound);
//   if (outbound->Send(frame) == SendResult::kBackPressured) ...

#ifndef CLUSTER_TRANSPORT_NNG_OUTBOUND_H_
#define CLUSTER_TRANSPORT_NNG_OUTBOUND_H_

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "absl/types/optional.h"
#include "cluster/transport/address.h"
#include "cluster/transport/nng/admission.h"
#include "cluster/transport/nng/dial.h"
#include "cluster/transport/nng/outbound_connection.h"
#include "cluster/transport/stream/backoff.h"
#include "cluster/transport/stream/frame_queue.h"
#include "cluster/transport/transport.h"

namespace cluster {
namespace nng {

struct OutboundContext {
  TransportHandler* handler = nullptr;
  Caretaker* caretaker = nullptr;
  Admission* admission = nullptr;  // has the keys; null: plaintext
  std::shared_ptr<BufferPool> pool;
  std::size_t queue_bytes_max = 0;
  Clock::duration dial_timeout{};
};

class Outbound final : public Tended,
                       public DialListener,
                       public ConnectionOwner,
                       public std::enable_shared_from_this<Outbound> {
 public:
  Outbound(const OutboundContext& context, int peer, Address address,
           std::uint64_t generation);

  // Dials at once, whatever is there now.
  void SetAddress(Address address, std::uint64_t generation);

  // Closes a connection to a peer that this material does not let in, so that
  // nothing more is sent on it, and dials again.
  void Reload(const stream::TlsMaterial& material);

  SendResult Send(const Frame& frame);

  // Waits until nothing is queued or being written; false: not by `deadline`.
  bool WaitUntilSent(Clock::time_point deadline);

  // Drops everything. The handler hears nothing more. Does not wait.
  void Disconnect();
  // The same, but what is queued first goes out on the connection, if there is
  // one, for at most kPartingTime.
  void Part();

  absl::optional<Clock::time_point> Tend(Clock::time_point now) override;
  void OnDialled(const Dial* dial, absl::StatusOr<nng_stream*> stream) override;
  void OnAccepted(OutboundConnection* connection,
                  const std::string& certificate) override;
  void OnWritten(OutboundConnection* connection, int error) override;
  void OnReadEnd(OutboundConnection* connection, const Loss& loss) override;

 private:
  enum class State {
    kWaiting,
    kDialling,
    kGreeting,  // the connection is there, its listener has not accepted it yet
    kAnnouncing,
    kConnected,
    kLosing,
  };
  using Lock = std::unique_lock<std::mutex>;

  absl::Status CheckKnown() const;
  void StartDial(Lock lock);
  void Greet(Lock lock, nng_stream* stream);
  // Fills the batch and writes it, if there is anything to write. Gives the
  // lock back.
  void WriteNext(Lock lock);
  // The same of a connection that is left when nothing is queued any more.
  void WriteLast(Lock lock);
  void FillBatch();
  void WriteBatchNow(Lock lock);
  void NoteLoss(const Loss& loss);
  // Whether OnConnected was called, or is being called.
  bool IsTold() const {
    return state_ == State::kConnected || state_ == State::kAnnouncing;
  }
  bool LossIsOver() const {
    return state_ == State::kLosing && !reading_ && !writing_ && !announcing_;
  }
  // Whom this material lets in may go on.
  bool IsPinned(const stream::TlsMaterial& material) const {
    return material.IdOf(certificate_) == peer_;
  }
  // After both directions of a lost connection have ended.
  void FinishLoss(Lock lock);
  // Tells the handler, then waits until it is time to dial.
  void Retry(Lock lock, const std::string& reason, Clock::duration delay);
  void TellWritable(std::size_t times);
  std::size_t TakeOwed();  // with the lock held

  const OutboundContext context_;
  const int peer_;

  std::mutex mutex_;
  // The rest is guarded by mutex_.
  std::condition_variable sent_;
  Address address_;
  std::uint64_t generation_;  // of the latest Connect
  // Of the attempt or connection that there is; it may be an earlier one.
  std::uint64_t attempt_generation_;
  State state_ = State::kWaiting;
  bool gone_ = false;
  bool parting_ = false;  // gone, but there is something to send
  Clock::time_point part_at_;
  bool address_changed_ = false;
  stream::FrameQueue queue_;
  std::size_t writable_owed_ = 0;

  Clock::time_point dial_at_;
  Clock::time_point dial_deadline_;
  stream::Backoff backoff_;
  std::shared_ptr<Dial> dial_;

  std::shared_ptr<OutboundConnection> connection_;
  Clock::time_point connected_at_;
  bool writing_ = false;
  bool reading_ = false;
  bool announcing_ = false;
  bool accepted_ = false;    // connection_ became usable
  std::string certificate_;  // of its peer, in DER; with TLS, once accepted
  Loss loss_;
};

}  // namespace nng
}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_NNG_OUTBOUND_H_
