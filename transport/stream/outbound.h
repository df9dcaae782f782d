// The way to one peer: the queue, the connection or an attempt at one
// (OutboundConnection in outbound.cc), and the OnWritable calls that are due.
//
// A frame to an idle connection is written on the sender's thread. While a
// write is under way frames queue up; the next write takes as many as fit.
// After a loss, frames of which no byte was written go to the next connection.
// The others are lost: a frame is never sent twice.
//
// Thread-safe. Calls the handler without a lock, with the generation of the
// Connect that led to the attempt; OnConnected and OnDisconnected alternate. A
// call that is about to begin during Disconnect may still run; none begins
// later.

#ifndef CLUSTER_TRANSPORT_STREAM_OUTBOUND_H_
#define CLUSTER_TRANSPORT_STREAM_OUTBOUND_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/types/optional.h"
#include "cluster/base/mutex.h"
#include "cluster/transport/address.h"
#include "cluster/transport/resolver/dial_order.h"
#include "cluster/transport/resolver/resolver.h"
#include "cluster/transport/stream/backoff.h"
#include "cluster/transport/stream/channel.h"
#include "cluster/transport/stream/write_batch.h"
#include "cluster/transport/transport.h"

namespace cluster::internal {
namespace stream {

class OutboundConnection;

// Why an attempt or a connection ended.
struct Loss {
  std::string reason;
  absl::optional<Rejection> refusal;  // by either side
  bool nobody_listens = false;        // the host refused the attempt
};

class Outbound final : public AsyncHandle {
 public:
  Outbound(Context* context, int peer, Address address,
           std::uint64_t generation)
      : AsyncHandle(&context->handles),
        context_(context),
        peer_(peer),
        order_(std::move(address)),
        generation_(generation),
        attempt_generation_(generation) {}

  // Begins to dial. Call once.
  void Start() {
    MutexLock lock(&mutex_);
    Sleep(Clock::duration::zero());
  }

  // Dials at once, in place of the connection or attempt that exists.
  void SetAddress(Address address, std::uint64_t generation);

  // If the material does not admit the connected peer: closes the connection,
  // so that nothing more is sent on it, and dials again.
  void Reload(const TlsMaterial& material);

  SendResult Send(const Frame& frame);

  // Waits until nothing is queued or being written. False: `deadline` came
  // first.
  bool WaitUntilSent(Clock::time_point deadline);

  // Drops everything, and calls the handler no more. Does not wait.
  void Disconnect();
  // The same, but first sends the queue if there is a connection, for at most
  // kPartingTime.
  void Part();

  // Calls of the connection, of which there is one at a time.
  //
  // The listener has accepted the connection, so frames may follow.
  // `certificate`: the peer's, with TLS. False: close it.
  bool OnAccepted(const std::string& certificate);
  // The whole batch has been written.
  void OnWritten();
  // The connection or attempt is over; none of its callbacks runs any more.
  void OnEnd(Loss loss);

 private:
  enum class State {
    kWaiting,    // until timer_ says to dial
    kLookingUp,  // until OnFound
    kDialling,   // until the listener has accepted the connection
    kConnected,
    kLosing,  // until the connection is over, and OnDisconnected was called
  };

  // The work to do once mutex_ is unlocked.
  struct Then {
    std::shared_ptr<OutboundConnection> write;  // the batch
    std::shared_ptr<OutboundConnection> close;
    std::size_t writable = 0;  // calls of OnWritable
  };

  // Writes nothing more to the connection, and has Do close it.
  Then RedialLocked() CLUSTER_REQUIRES(mutex_);
  // Has Do write queued frames. Without any, and after Part, has it close.
  Then WriteNext() CLUSTER_REQUIRES(mutex_);
  // `at_once`: the calling thread writes what the stream takes.
  void Do(Then then, bool at_once = true) CLUSTER_EXCLUDES(mutex_);
  // The calling thread has written the whole batch.
  void OnWrittenAtOnce(OutboundConnection* connection) CLUSTER_EXCLUDES(mutex_);

  // Dials, unless there is something else to do.
  void OnTimer(int error, std::size_t bytes) CLUSTER_EXCLUDES(mutex_);
  // Dials the next number, or looks the name up. An error ends the attempt.
  absl::StatusOr<std::shared_ptr<OutboundConnection>> NextAttempt()
      CLUSTER_REQUIRES(mutex_);
  // On the resolver's thread.
  void OnFound(Resolver::Ticket ticket, absl::StatusOr<Resolver::Hosts> hosts)
      CLUSTER_EXCLUDES(mutex_);
  // Calls OnTimer after `time`. Only when no other call is due.
  void Sleep(Clock::duration time) CLUSTER_REQUIRES(mutex_) {
    Begin(timer_.get(), [&] { timer_->Sleep(time); });
  }
  void EndOperations() override { timer_->Abort(); }
  // Calls the handler, then waits until it is time to dial.
  void ReportLoss() CLUSTER_EXCLUDES(mutex_);

  Context* const context_;
  const int peer_;
  // For calls that must not run on a caller's thread, and for later ones.
  const std::unique_ptr<Operation> timer_ =
      context_->io->NewOperation(&Call<Outbound, &Outbound::OnTimer>);

  Mutex mutex_{LockRank::kConnection};
  CondVar sent_;
  DialOrder order_ CLUSTER_GUARDED_BY(mutex_);
  Resolver::Ticket look_up_ CLUSTER_GUARDED_BY(mutex_) = 0;  // 0: none
  // Of the latest Connect.
  std::uint64_t generation_ CLUSTER_GUARDED_BY(mutex_);
  // Of the current attempt or connection; it may be an earlier one.
  std::uint64_t attempt_generation_ CLUSTER_GUARDED_BY(mutex_);
  State state_ CLUSTER_GUARDED_BY(mutex_) = State::kWaiting;
  bool gone_ CLUSTER_GUARDED_BY(mutex_) = false;
  // The next dial follows the loss at once.
  bool is_urgent_ CLUSTER_GUARDED_BY(mutex_) = false;
  Backoff backoff_ CLUSTER_GUARDED_BY(mutex_);

  FrameQueue queue_ CLUSTER_GUARDED_BY(mutex_);
  std::size_t writable_owed_ CLUSTER_GUARDED_BY(mutex_) = 0;
  // The connection uses it while writing_, else the holder of mutex_.
  WriteBatch batch_;
  bool writing_ CLUSTER_GUARDED_BY(mutex_) = false;

  // Its operations own it.
  std::weak_ptr<OutboundConnection> connection_ CLUSTER_GUARDED_BY(mutex_);
  Loss loss_ CLUSTER_GUARDED_BY(mutex_);  // once the connection is over
  absl::optional<Clock::time_point> connected_at_ CLUSTER_GUARDED_BY(mutex_);
  // Of the peer, in DER; with TLS, once accepted.
  std::string certificate_ CLUSTER_GUARDED_BY(mutex_);
};

}  // namespace stream
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_STREAM_OUTBOUND_H_
