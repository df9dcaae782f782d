// One byte stream of nng in both directions, in plaintext or in TLS: what an
// accepted connection (inbound.cc) and a dialled one (outbound.cc) have in
// common.
//
// It gives plaintext to the class above it, and writes what that class and TLS
// have to say, then a WriteBatch, one write at a time. When TLS fails, or the
// class above refuses the peer, it can go on reading and dropping until the peer
// has closed: closing first would take the refusal's words with it. nng's
// threads call the virtual functions: those of reading one at a time, those of
// writing one at a time. Say and WriteOut are thread-safe.

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
};

// From Start on; it outlives the connections. Nothing changes but what is
// thread-safe by itself.
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

// In nng's milliseconds, from 0 on.
nng_duration ToTimeout(Clock::duration time);

class Channel : public AsyncHandle {
 public:
  ~Channel() override {
    if (stream_ != nullptr) nng_stream_free(stream_);
  }

  // Writes all of the batch, which is not empty, and calls OnWritten, or closes.
  // One at a time; until OnWritten, or the channel's end, the batch is its own.
  void WriteOut(stream::WriteBatch* batch);

 protected:
  explicit Channel(Context* context)
      : AsyncHandle(&context->handles), context_(context) {}

  Context* context() const { return context_; }
  bool is_secured() const { return context_->admission->is_secured(); }

  // Takes the stream, begins to read, for the handshake's time, and to write what
  // TLS has to say. Once. `wanted`: the only server that a dialler takes.
  void Open(nng_stream* stream, stream::TlsSession::Role role,
            absl::optional<int> wanted = absl::nullopt);
  // Says so much before any batch; with TLS not before OnSecured, else from Open.
  void Say(absl::string_view bytes);
  // What is not read by then is NNG_ETIMEDOUT. In a virtual function of reading.
  void ReadUntil(Clock::time_point deadline) { deadline_ = deadline; }
  // Drops whatever comes from here on.
  void Drain() { draining_ = true; }

  // The first bytes of a TLS handshake are there. False: asks again a little
  // later, and reads nothing until then.
  virtual bool MayShakeHands() { return true; }
  // TLS has proven the peer.
  virtual void OnSecured(int identity, const std::string& certificate) = 0;
  // TLS failed, and what comes is dropped from here on. The peer knows why if
  // it was the one to refuse; else it is about to hear it.
  virtual void OnTlsFailed(const Rejection& failure, bool peer_knows) = 0;
  // Where plaintext is to go; not empty.
  virtual absl::Span<char> Room() = 0;
  // So much has been put there. What is wrong with it closes or drains. Whether
  // OnReadDone is to follow, when the next read has begun.
  virtual bool OnBytes(std::size_t bytes) = 0;
  virtual void OnReadDone() {}
  // Nothing more comes, with nng's error, or that of a write.
  virtual void OnEnd(int error) = 0;
  // The whole batch is written. Never inline.
  virtual void OnWritten() {}

  void CloseHandles() override;

 private:
  // What one read takes of TLS: little of a quiet stream.
  static constexpr std::size_t kSealedBytesMin = 4u << 10;
  static constexpr std::size_t kSealedBytesMax = 128u << 10;

  void StartRead();
  void OnReceived();
  // Whether there is to be another operation of receive_aio_, with its time-out
  // set. False: it is over.
  bool MayReceive();
  // Takes what a read brought; whether to begin the next. `done` becomes true
  // where OnReadDone is to follow: a local of each read, since the next one may
  // be taken on another thread meanwhile.
  bool TakeRead(bool* done);
  bool TakeSealed(absl::string_view in, bool* done);
  void AwaitTurn(absl::string_view unread);
  void End(int error);
  void AdaptSealedRoom(std::size_t bytes);
  // Starts the next write, if none is under way and there is anything to write.
  void Pump() CLUSTER_REQUIRES(mutex_);
  // The segments of the next write; how many.
  unsigned Gather(nng_iov* segments) CLUSTER_REQUIRES(mutex_);
  void SealBatch() CLUSTER_REQUIRES(mutex_);
  void NoteSent(std::size_t bytes) CLUSTER_REQUIRES(mutex_);
  void OnSent();

  Context* const context_;
  std::atomic<nng_stream*> stream_{nullptr};
  Aio receive_aio_{&Call<Channel, &Channel::OnReceived>};
  Aio send_aio_{&Call<Channel, &Channel::OnSent>};

  // Of reading.
  Clock::time_point deadline_ = Clock::time_point::max();
  std::shared_ptr<char> sealed_;  // where reads go, if not to Room
  std::size_t sealed_bytes_ = kSealedBytesMin;  // its size
  absl::string_view unread_;  // in sealed_, while a handshake waits
  bool shaken_ = false;       // MayShakeHands was true
  bool opened_ = false;
  bool draining_ = false;

  Mutex mutex_{LockRank::kConnection};
  // Null: plaintext. Set before reads and writes begin; reading uses the parts
  // that do not change after the handshake.
  std::unique_ptr<stream::TlsSession> tls_ CLUSTER_PT_GUARDED_BY(mutex_);
  // In plaintext, to be written.
  std::string said_ CLUSTER_GUARDED_BY(mutex_);
  stream::WriteBatch* batch_ CLUSTER_GUARDED_BY(mutex_) = nullptr;
  bool sending_ CLUSTER_GUARDED_BY(mutex_) = false;
  // Of the write under way, but for a batch in plaintext.
  Slice sent_slice_ CLUSTER_GUARDED_BY(mutex_);
  // The first; then nothing is written any more.
  int send_error_ CLUSTER_GUARDED_BY(mutex_) = 0;
};

}  // namespace nng
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_NNG_CHANNEL_H_
