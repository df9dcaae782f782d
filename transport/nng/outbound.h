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

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/types/optional.h"
#include "cluster/base/mutex.h"
#include "cluster/transport/address.h"
#include "cluster/transport/nng/channel.h"
#include "cluster/transport/stream/backoff.h"
#include "cluster/transport/stream/write_batch.h"
#include "cluster/transport/transport.h"

namespace cluster::internal {
namespace nng {

class OutboundConnection;

// Why an attempt or a connection ended.
struct Loss {
  std::string reason;
  absl::optional<Rejection> refusal;  // of one of the two sides, by the other
};

class Outbound final : public AsyncHandle {
 public:
  Outbound(Context* context, int peer, Address address,
           std::uint64_t generation)
      : AsyncHandle(&context->handles),
        context_(context),
        peer_(peer),
        address_(std::move(address)),
        generation_(generation),
        attempt_generation_(generation) {}

  // Begins to dial. Once.
  void Start() {
    MutexLock lock(&mutex_);
    Sleep(Clock::duration::zero());
  }

  // Dials at once, whatever is there now.
  void SetAddress(Address address, std::uint64_t generation);

  // Closes a connection to a peer that this material does not let in, so that
  // nothing more is sent on it, and dials again.
  void Reload(const TlsMaterial& material);

  SendResult Send(const Frame& frame);

  // Waits until nothing is queued or being written; false: not by `deadline`.
  bool WaitUntilSent(Clock::time_point deadline);

  // Drops everything. The handler hears nothing more. Does not wait.
  void Disconnect();
  // The same, but what is queued first goes out on the connection, if there is
  // one, for at most kPartingTime.
  void Part();

  // What its connection says, of which there is one at a time.
  //
  // The listener has accepted it; frames may follow. With TLS, with the peer's
  // certificate. False: close it.
  bool OnAccepted(const std::string& certificate);
  // The whole batch has been written.
  void OnWritten();
  // It is over, or never came to be: none of its callbacks runs any more.
  void OnEnd(Loss loss);

 private:
  enum class State {
    kWaiting,   // until timer_ says to dial
    kDialling,  // until the listener has accepted the connection
    kConnected,
    kLosing,  // until the connection is over, and OnDisconnected was called
  };

  // The work to do once mutex_ is unlocked.
  struct Then {
    std::shared_ptr<OutboundConnection> write;  // the batch
    std::shared_ptr<OutboundConnection> close;
    std::size_t writable = 0;  // calls of OnWritable
  };

  // From here on nothing is written to the connection, which `close` has.
  Then RedialLocked() CLUSTER_REQUIRES(mutex_);
  // What is queued. If nothing is and the peer has gone, it closes.
  Then WriteNext() CLUSTER_REQUIRES(mutex_);
  void Do(Then then) CLUSTER_EXCLUDES(mutex_);

  // Dials, unless there is something else to do.
  void OnTimer() CLUSTER_EXCLUDES(mutex_);
  // Until the next OnTimer. When no other is awaited.
  void Sleep(Clock::duration time) CLUSTER_REQUIRES(mutex_) {
    Begin(&timer_, [&] { nng_sleep_aio(ToTimeout(time), timer_.get()); });
  }
  void CloseHandles() override { nng_aio_abort(timer_.get(), NNG_ECLOSED); }
  // Tells the handler, then waits until it is time to dial.
  void TellLoss() CLUSTER_EXCLUDES(mutex_);

  Context* const context_;
  const int peer_;
  // For the calls that no caller's thread may make, and for what comes later.
  Aio timer_{&Call<Outbound, &Outbound::OnTimer>};

  Mutex mutex_{LockRank::kConnection};
  CondVar sent_;
  Address address_ CLUSTER_GUARDED_BY(mutex_);
  // Of the latest Connect.
  std::uint64_t generation_ CLUSTER_GUARDED_BY(mutex_);
  // Of the attempt or connection that there is; it may be an earlier one.
  std::uint64_t attempt_generation_ CLUSTER_GUARDED_BY(mutex_);
  State state_ CLUSTER_GUARDED_BY(mutex_) = State::kWaiting;
  bool gone_ CLUSTER_GUARDED_BY(mutex_) = false;
  // The next dial, once the connection has ended.
  bool is_urgent_ CLUSTER_GUARDED_BY(mutex_) = false;
  stream::Backoff backoff_ CLUSTER_GUARDED_BY(mutex_);

  stream::FrameQueue queue_ CLUSTER_GUARDED_BY(mutex_);
  std::size_t writable_owed_ CLUSTER_GUARDED_BY(mutex_) = 0;
  // The connection's while writing_, else of the holder of mutex_.
  stream::WriteBatch batch_;
  bool writing_ CLUSTER_GUARDED_BY(mutex_) = false;

  // It lives by its operations.
  std::weak_ptr<OutboundConnection> connection_ CLUSTER_GUARDED_BY(mutex_);
  Loss loss_ CLUSTER_GUARDED_BY(mutex_);  // once it is over
  absl::optional<Clock::time_point> connected_at_ CLUSTER_GUARDED_BY(mutex_);
  // Of its peer, in DER; with TLS, once accepted.
  std::string certificate_ CLUSTER_GUARDED_BY(mutex_);
};

}  // namespace nng
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_NNG_OUTBOUND_H_
