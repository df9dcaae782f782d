// One byte stream of nng, in plaintext or in TLS: the base of accepted
// connections (inbound.cc) and dialled ones (outbound.cc).
//
// Passes plaintext to the derived class. Writes first what that class and TLS
// say, then a WriteBatch, one write at a time. When TLS fails, or the class
// refuses the peer, the channel may go on reading and dropping until the peer
// has closed. Closing first could lose the reason on its way to the peer.
//
// nng's threads call the virtual functions: those of reading one at a time,
// those of writing one at a time. Say and WriteOut are thread-safe.

#ifndef CLUSTER_TRANSPORT_NNG_CHANNEL_H_
#define CLUSTER_TRANSPORT_NNG_CHANNEL_H_

#include <nng/nng.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "cluster/base/mutex.h"
#include "cluster/transport/frame.h"
#include "cluster/transport/nng/admission.h"
#include "cluster/transport/nng/async_handle.h"
#include "cluster/transport/nng/drainer.h"
#include "cluster/transport/nng/endpoint.h"
#include "cluster/transport/security.h"
#include "cluster/transport/stream/handshake_budget.h"
#include "cluster/transport/stream/tls_session.h"
#include "cluster/transport/stream/write_batch.h"
#include "cluster/transport/transport.h"

namespace cluster::internal {
namespace nng {

struct Options {
  std::size_t send_queue_bytes = 0;  // for one peer
  std::size_t read_buffer_bytes = 0;
  TcpOptions tcp;
};

// Shared by the connections of a transport, which it outlives. Constant, but
// for members that are thread-safe themselves.
struct Context {
  TransportHandler* const handler;
  const TransportConfig config;
  const Options options;
  Admission* const admission;
  const Clock::duration handshake_timeout =
      absl::ToChronoNanoseconds(config.handshake_timeout);
  stream::HandshakeBudget budget{};
  Drainer drainer{handler};
  HandleCount handles{};
};

// In milliseconds, as nng takes them; not negative.
nng_duration ToTimeout(Clock::duration time);

class Channel : public AsyncHandle {
 public:
  ~Channel() override {
    if (stream_ != nullptr) nng_stream_free(stream_);
  }

  // Writes the whole batch, which is not empty, then calls OnWritten; on
  // failure closes instead. One batch at a time. Nobody else may use the batch
  // until OnWritten, or the channel's end.
  void WriteOut(stream::WriteBatch* batch);

 protected:
  explicit Channel(Context* context)
      : AsyncHandle(&context->handles), context_(context) {}

  Context* context() const { return context_; }
  bool is_secured() const { return context_->admission->is_secured(); }

  // Takes ownership of the stream, and begins to read and to write. Reading
  // must end the handshake in the handshake's time. Call once. `wanted`: the
  // only server that a dialler accepts.
  void Open(nng_stream* stream, stream::TlsSession::Role role,
            absl::optional<int> wanted = absl::nullopt);
  // Writes `bytes` before any batch. In plaintext also before Open; with TLS
  // from OnSecured on.
  void Say(absl::string_view bytes);
  // Reading ends with NNG_ETIMEDOUT at `deadline`. Call it only in a virtual
  // function of reading.
  void ReadUntil(Clock::time_point deadline) { deadline_ = deadline; }
  // Drops all that arrives from here on.
  void Drain() { draining_ = true; }

  // A TLS handshake begins to arrive. False: asks again a little later, and
  // reads nothing until then.
  virtual bool MayShakeHands() { return true; }
  // TLS has proven the peer.
  virtual void OnSecured(int identity, const std::string& certificate) = 0;
  // TLS failed; all that arrives from here on is dropped. `peer_knows`: nothing
  // is left to tell the peer; else the reason is still being sent.
  virtual void OnTlsFailed(const Rejection& failure, bool peer_knows) = 0;
  // Where to put plaintext; not empty.
  virtual absl::Span<char> Room() = 0;
  // Room has got `bytes` of plaintext; if they are wrong, closes or drains.
  // Returns whether to call OnReadDone once the next read has begun.
  virtual bool OnBytes(std::size_t bytes) = 0;
  virtual void OnReadDone() {}
  // Nothing more arrives. `error` is nng's, of a read or a write.
  virtual void OnEnd(int error) = 0;
  // The whole batch is written. Never called within WriteOut.
  virtual void OnWritten() {}

  void CloseHandles() override;

 private:
  // Limits of the buffer for one read of TLS; a quiet stream's is small.
  static constexpr std::size_t kSealedBytesMin = 4u << 10;
  static constexpr std::size_t kSealedBytesMax = 128u << 10;

  void StartRead();
  void OnReceived();
  // Sets the time-out of the next operation of receive_aio_. False: reading has
  // ended, and there is no next one.
  bool MayReceive();
  // Takes the bytes of a read; returns whether to begin the next one. Sets
  // `*done` if OnReadDone is to follow. That is a local of each read, since
  // another thread may take the next one meanwhile.
  bool TakeRead(bool* done);
  bool TakeSealed(absl::string_view in, bool* done);
  void AwaitTurn(absl::string_view unread);
  void End(int error);
  void AdaptSealedRoom(std::size_t bytes);
  // Starts the next write, if none is under way and there is anything to write.
  void Pump() CLUSTER_REQUIRES(mutex_);
  // Fills in the segments of the next write; returns their number.
  unsigned Gather(nng_iov* segments) CLUSTER_REQUIRES(mutex_);
  void SealBatch() CLUSTER_REQUIRES(mutex_);
  void NoteSent(std::size_t bytes) CLUSTER_REQUIRES(mutex_);
  void OnSent();

  Context* const context_;
  std::atomic<nng_stream*> stream_{nullptr};
  Aio receive_aio_{&Call<Channel, &Channel::OnReceived>};
  Aio send_aio_{&Call<Channel, &Channel::OnSent>};

  // Used by reading only.
  Clock::time_point deadline_ = Clock::time_point::max();
  std::shared_ptr<char> sealed_;  // where reads go, if not to Room
  std::size_t sealed_bytes_ = kSealedBytesMin;  // its size
  absl::string_view unread_;  // in sealed_, while a handshake waits
  bool shaken_ = false;       // MayShakeHands was true
  bool opened_ = false;
  bool draining_ = false;

  Mutex mutex_{LockRank::kConnection};
  // Null: plaintext. Set before reads and writes begin. Reading uses, unlocked,
  // the parts that no longer change after the handshake.
  std::unique_ptr<stream::TlsSession> tls_ CLUSTER_PT_GUARDED_BY(mutex_);
  // Bytes of Say that wait, in plaintext.
  std::string said_ CLUSTER_GUARDED_BY(mutex_);
  stream::WriteBatch* batch_ CLUSTER_GUARDED_BY(mutex_) = nullptr;
  bool sending_ CLUSTER_GUARDED_BY(mutex_) = false;
  // Of the write under way; unset for a batch in plaintext.
  Slice sent_slice_ CLUSTER_GUARDED_BY(mutex_);
  // The first error; nothing is written after it.
  int send_error_ CLUSTER_GUARDED_BY(mutex_) = 0;
};

}  // namespace nng
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_NNG_CHANNEL_H_
