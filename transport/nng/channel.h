// Channel: one byte stream of nng in both directions, in plaintext or in TLS:
// the part that an accepted connection (inbound.h) and a dialled one
// (outbound_connection.h) have in common.
//
// Reads one after the other, and gives plaintext to its owner; writes what the
// owner and TLS have to say, one write at a time, a WriteBatch last. When TLS
// fails, or the owner refuses the peer, it can go on reading and dropping until
// the peer has closed: closing first would take the refusal's words with it.
//
// Threads: the virtual functions are called on nng's threads, those of reading
// one at a time, those of writing one at a time. Say and WriteOut may be called
// from any. Ownership: as AsyncHandle. Errors: OnEnd, exactly once, after which
// nothing is read.
//
//   class Inbound final : public Channel { ... };
//   inbound->Open();

#ifndef CLUSTER_TRANSPORT_NNG_CHANNEL_H_
#define CLUSTER_TRANSPORT_NNG_CHANNEL_H_

#include <nng/nng.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "cluster/base/buffer_pool.h"
#include "cluster/transport/frame.h"
#include "cluster/transport/nng/async_handle.h"
#include "cluster/transport/security.h"
#include "cluster/transport/stream/tls_session.h"
#include "cluster/transport/stream/write_batch.h"

namespace cluster {
namespace nng {

class Channel : public AsyncHandle {
 public:
  // `tls`: null for plaintext.
  Channel(Caretaker* caretaker, nng_stream* stream,
          std::shared_ptr<BufferPool> pool,
          std::unique_ptr<stream::TlsSession> tls);

 protected:
  bool secured() const { return tls_ != nullptr; }

  // Begins to read, and to write what TLS has to say. Once.
  void Open();
  // Says so much before any batch; with TLS not before OnSecured.
  void Say(absl::string_view bytes);
  // Writes all of the batch, which is not empty, and calls OnWritten. One at a
  // time; until then the batch is the channel's.
  void WriteOut(stream::WriteBatch* batch);
  // Drops whatever comes from here on. In a virtual function of reading.
  void Drain() { draining_ = true; }
  // After MayShakeHands was false. From any thread.
  void Resume();

  // Where plaintext is to go; not empty.
  virtual absl::Span<char> Room() = 0;
  // So much has been put there. What is wrong with it closes or drains. Whether
  // OnReadDone is to follow, when the next read has begun.
  virtual bool OnBytes(std::size_t bytes) = 0;
  virtual void OnReadDone() {}
  // The first bytes of a TLS handshake are there. False: Resume comes later.
  virtual bool MayShakeHands() { return true; }
  // TLS has proven the peer.
  virtual void OnSecured(int identity, const std::string& certificate) = 0;
  // TLS failed, and what comes is dropped from here on. The peer knows why if
  // it was the one to refuse; else it is about to be told.
  virtual void OnTlsFailed(const Rejection& failure, bool peer_knows) = 0;
  // Nothing more comes, with nng's error, or that of a write.
  virtual void OnEnd(int error) = 0;
  // The batch is written, or a part of it and then nng's error. Never inline.
  virtual void OnWritten(int /*error*/) {}

  void FreeHandles() override;

 private:
  using Lock = std::unique_lock<std::mutex>;

  static void OnReceived(void* self);
  static void OnSent(void* self);

  void StartRead();
  // Takes what a read brought; whether to begin the next. `done` becomes true
  // where OnReadDone is to follow: a local of each read, since the next one may
  // be taken on another thread meanwhile.
  bool TakeRead(bool* done);
  bool TakeSealed(std::size_t bytes, bool* done);
  void ReadOn();
  void End(int error);
  void AdaptSealedRoom(std::size_t bytes);
  // Starts the next write, if none is under way and there is anything to write.
  void Pump();
  // The segments of the next write; how many.
  unsigned Gather(nng_iov* segments);
  void SealBatch();
  void NoteSent(std::size_t bytes);
  void FinishWrite();

  void CloseHandles() final;

  nng_stream* const stream_;
  nng_aio* const receive_aio_;
  nng_aio* const send_aio_;
  const std::shared_ptr<BufferPool> pool_;

  // Of reading.
  std::shared_ptr<char> sealed_;  // where reads go, if not to Room
  std::size_t sealed_bytes_;      // its size
  absl::string_view unread_;      // in sealed_, while a handshake waits
  bool shaken_ = false;           // MayShakeHands was true
  bool opened_ = false;
  bool draining_ = false;

  std::mutex mutex_;
  // The rest is guarded by mutex_.
  const std::unique_ptr<stream::TlsSession> tls_;
  std::string said_;  // in plaintext, to be written
  stream::WriteBatch* batch_ = nullptr;
  bool sending_ = false;
  Slice sent_slice_;    // of the write under way, but for a batch in plaintext
  int send_error_ = 0;  // the first; then nothing is written any more
};

}  // namespace nng
}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_NNG_CHANNEL_H_
