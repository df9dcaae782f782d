// All that goes to one peer: its queue, the connection to it, or the attempt at
// one (OutboundConnection, in outbound.cc), and the promise of OnWritable.
//
// A frame to an idle connection is written on the sender's thread; while a write
// is under way frames queue up, and the next write takes as many as fit. Of a
// lost connection, frames of which no byte was written go to the next one; the
// others are lost: a frame is never sent twice. Thread-safe. The handler is
// called without a lock, with the generation of the Connect that the attempt was
// made for; OnConnected and OnDisconnected take turns. A call that was about to
// begin when Disconnect came may still run; none begins later.

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
#include "cluster/transport/nng/channel.h"
#include "cluster/transport/stream/backoff.h"
#include "cluster/transport/stream/write_batch.h"
#include "cluster/transport/transport.h"

namespace cluster {
namespace nng {

class OutboundConnection;

// Why an attempt or a connection ended.
struct Loss {
  std::string reason;
  absl::optional<Rejection> refusal;  // of one of the two sides, by the other
};

class Outbound final : public Tended,
                       public std::enable_shared_from_this<Outbound> {
 public:
  Outbound(Context* context, int peer, Address address,
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

  // What its connection says, of which there is one at a time.
  //
  // The listener has accepted it; frames may follow. With TLS, with the peer's
  // certificate.
  void OnAccepted(const std::string& certificate);
  // The whole batch has been written (0), or a part and then nng's error.
  void OnWritten(int error);
  // It ended, or never came to be.
  void OnEnd(Loss loss);

 private:
  enum class State {
    kWaiting,     // until dial_at_
    kDialling,    // until the listener has accepted the connection
    kAnnouncing,  // OnConnected is being called
    kConnected,
    kLosing,  // until all that was begun has ended, and OnDisconnected was called
  };
  using Lock = std::unique_lock<std::mutex>;

  // Each of these gives the lock back.
  void Redial(Lock lock);
  void StartDial(Lock lock);
  void WriteNext(Lock lock);   // what is queued
  void StartWrite(Lock lock);  // what is in the batch, if anything is
  void FinishLossIfOver(Lock lock);
  // Tells the handler, then waits until it is time to dial.
  void Retry(Lock lock, const std::string& reason, Clock::duration delay);

  // Whether OnConnected was called, or is being called.
  bool IsTold() const {
    return state_ == State::kConnected || state_ == State::kAnnouncing;
  }
  // Whom this material lets in may go on.
  bool IsPinned(const stream::TlsMaterial& material) const {
    return material.IdOf(certificate_) == peer_;
  }
  void TellWritable(std::size_t times);  // without the lock

  Context* const context_;
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
  Clock::time_point dial_at_;
  bool is_urgent_ = false;  // the next dial, once the connection has ended
  stream::Backoff backoff_;

  stream::FrameQueue queue_;
  std::size_t writable_owed_ = 0;
  stream::WriteBatch batch_;  // the connection's while writing_

  std::shared_ptr<OutboundConnection> connection_;  // until its loss is over
  bool announcing_ = false;
  bool writing_ = false;
  absl::optional<Loss> loss_;  // once it has ended
  absl::optional<Clock::time_point> connected_at_;
  std::string certificate_;  // of its peer, in DER; with TLS, once accepted
};

}  // namespace nng
}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_NNG_OUTBOUND_H_
