// One byte stream, in plaintext or in TLS: the base of accepted connections
// (inbound.cc) and dialled ones (outbound.cc).
//
// Passes plaintext to the derived class. Writes first what that class and TLS
// say, then a WriteBatch, one write at a time. When TLS fails, or the class
// refuses the peer, the channel may go on reading and dropping until the peer
// has closed. Closing first could lose the reason on its way to the peer.
//
// The backend's threads call the virtual functions: those of reading one at a
// time, those of writing one at a time. Say and WriteOut are thread-safe.

#ifndef CLUSTER_TRANSPORT_STREAM_CHANNEL_H_
#define CLUSTER_TRANSPORT_STREAM_CHANNEL_H_

#include <cerrno>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "cluster/base/mutex.h"
#include "cluster/transport/frame.h"
#include "cluster/transport/security.h"
#include "cluster/transport/stream/admission.h"
#include "cluster/transport/stream/handshake_budget.h"
#include "cluster/transport/stream/io.h"
#include "cluster/transport/stream/operation.h"
#include "cluster/transport/stream/tls_session.h"
#include "cluster/transport/stream/write_batch.h"
#include "cluster/transport/transport.h"

namespace cluster::internal {
namespace stream {

struct Options {
  std::size_t send_queue_bytes = 0;  // for one peer
  std::size_t read_buffer_bytes = 0;
};

// Shared by the connections of a transport, which it outlives. Constant, but
// for members that are thread-safe themselves.
struct Context {
  TransportHandler* const handler;
  const TransportConfig config;
  const Options options;
  Admission* const admission;
  Io* const io;
  const Clock::duration handshake_timeout =
      absl::ToChronoNanoseconds(config.handshake_timeout);
  HandshakeBudget budget{};
  HandleCount handles{};
};

class Channel : public AsyncHandle {
 public:
  // Writes the whole batch, which is not empty, then calls OnWritten; on
  // failure closes instead. One batch at a time. Nobody else may use the batch
  // until OnWritten, or the channel's end. `at_once`: the calling thread writes
  // what the stream takes. Returns true, with no OnWritten, if that was all.
  [[nodiscard]] bool WriteOut(WriteBatch* batch, bool at_once);
  // Calls OnWritten for a batch of which WriteOut returned true, soon and on
  // another thread.
  void ReportWritten(WriteBatch* batch);

 protected:
  Channel(Context* context, std::unique_ptr<ByteStream> stream)
      : AsyncHandle(&context->handles),
        context_(context),
        stream_(std::move(stream)) {}

  Context* context() const { return context_; }
  ByteStream* stream() const { return stream_.get(); }
  bool is_secured() const { return context_->admission->is_secured(); }

  // The stream is connected: begins to read and to write. Reading must end the
  // handshake in the handshake's time. Call once, on the backend's threads or
  // before they know the stream. `wanted`: the only server that a dialler
  // accepts.
  void Open(TlsSession::Role role, absl::optional<int> wanted = absl::nullopt);
  // Writes `bytes` before any batch. In plaintext also before Open; with TLS
  // from OnSecured on.
  void Say(absl::string_view bytes);
  // Closes the channel at `deadline`, and reading ends with ETIMEDOUT.
  void EndAt(Clock::time_point deadline);
  // Why an operation with `error` ended: the reason of a Close before it, if any.
  int ReasonOf(int error);
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
  // Nothing more arrives. `error` is an errno, of a read or a write.
  virtual void OnEnd(int error) = 0;
  // The whole batch is written. Never called within WriteOut.
  virtual void OnWritten() {}

  void EndOperations() override;

 private:
  // Limits of the buffer for one read of TLS; a quiet stream's is small.
  static constexpr std::size_t kSealedBytesMin = 4u << 10;
  static constexpr std::size_t kSealedBytesMax = 128u << 10;

  void StartRead();
  void OnReceived(int error, std::size_t bytes);
  // Takes the bytes of a read; returns whether to begin the next one. Sets
  // `*done` if OnReadDone is to follow. That is a local of each read, since
  // another thread may take the next one meanwhile.
  bool TakeRead(std::size_t bytes, bool* done);
  bool TakeSealed(absl::string_view in, bool* done);
  void AwaitTurn(absl::string_view unread);
  void AdaptSealedRoom(std::size_t bytes);
  // Writes all that waits: at once while the stream takes it, or by an
  // operation. One operation is under way at a time. Returns whether the batch
  // is written.
  bool Pump(bool at_once) CLUSTER_REQUIRES(mutex_);
  // Fills in the segments of the next write; returns their number.
  std::size_t Gather(absl::string_view* segments) CLUSTER_REQUIRES(mutex_);
  void SealBatch() CLUSTER_REQUIRES(mutex_);
  // Takes the result of a write; returns whether the batch is written.
  bool TakeSent(int error, std::size_t bytes) CLUSTER_REQUIRES(mutex_);
  void NoteSent(std::size_t bytes) CLUSTER_REQUIRES(mutex_);
  void OnSent(int error, std::size_t bytes);
  void SleepToDeadline() CLUSTER_REQUIRES(mutex_);
  void OnDeadline(int error, std::size_t bytes);

  Context* const context_;
  const std::unique_ptr<ByteStream> stream_;
  const std::unique_ptr<Operation> receive_ =
      context_->io->NewOperation(&Call<Channel, &Channel::OnReceived>);
  const std::unique_ptr<Operation> send_ =
      context_->io->NewOperation(&Call<Channel, &Channel::OnSent>);
  const std::unique_ptr<Operation> timer_ =
      context_->io->NewOperation(&Call<Channel, &Channel::OnDeadline>);

  // Used by reading only.
  std::shared_ptr<char> sealed_;  // where reads go, if not to Room
  std::size_t sealed_bytes_ = kSealedBytesMin;  // its size
  absl::string_view unread_;  // in sealed_, while a handshake waits
  bool shaken_ = false;       // MayShakeHands was true
  bool opened_ = false;
  bool draining_ = false;

  Mutex mutex_{LockRank::kConnection};
  // Null: plaintext. Set before reads and writes begin. Reading uses, unlocked,
  // the parts that no longer change after the handshake.
  std::unique_ptr<TlsSession> tls_ CLUSTER_PT_GUARDED_BY(mutex_);
  bool is_open_ CLUSTER_GUARDED_BY(mutex_) = false;
  Clock::time_point deadline_ CLUSTER_GUARDED_BY(mutex_) =
      Clock::time_point::max();
  bool timing_ CLUSTER_GUARDED_BY(mutex_) = false;  // timer_ sleeps
  bool timed_out_ CLUSTER_GUARDED_BY(mutex_) = false;
  // Bytes of Say that wait, in plaintext.
  std::string said_ CLUSTER_GUARDED_BY(mutex_);
  WriteBatch* batch_ CLUSTER_GUARDED_BY(mutex_) = nullptr;
  bool sending_ CLUSTER_GUARDED_BY(mutex_) = false;
  // Of the write under way; unset for a batch in plaintext.
  Slice sent_slice_ CLUSTER_GUARDED_BY(mutex_);
  // The first error; nothing is written after it.
  int send_error_ CLUSTER_GUARDED_BY(mutex_) = 0;
};

}  // namespace stream
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_STREAM_CHANNEL_H_
