// OutboundConnection: one established stream to a peer: its greeting, the
// listener's answer, then batches of frames in the one direction, and in the
// other a read that brings nothing but the end.
//
// Threads: one write at a time, of which the owner keeps count; between Write
// and the call of OnWritten the batch is not to be touched. The owner is called
// on nng's threads, never inline. Ownership: it shares its owner until it is
// freed. Errors: told to the owner; exactly one OnReadEnd for each connection,
// and after an OnWritten with an error no more writes.
//
//   auto connection = std::make_shared<OutboundConnection>(
//       &caretaker, stream, pool, std::move(tls), outbound);
//   caretaker.Add(connection);
//   connection->Greet();
//   ...                          // OnAccepted
//   connection->batch()->Fill(&queue);
//   connection->Write();
//   ...
//   connection->Release();   // when it has ended and nothing more is begun

#ifndef CLUSTER_TRANSPORT_NNG_OUTBOUND_CONNECTION_H_
#define CLUSTER_TRANSPORT_NNG_OUTBOUND_CONNECTION_H_

#include <memory>
#include <string>

#include "cluster/transport/nng/channel.h"
#include "cluster/transport/stream/preamble.h"
#include "cluster/transport/stream/write_batch.h"

namespace cluster {
namespace nng {

class OutboundConnection;

// Why a connection ended.
struct Loss {
  int error = 0;  // nng's
  // One of the two sides has refused the other.
  absl::optional<Rejection> refusal;
};

class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  // The listener has accepted the connection; frames may follow. With TLS, the
  // peer's certificate.
  virtual void OnAccepted(OutboundConnection* connection,
                          const std::string& certificate) = 0;
  // The whole batch has been written (0), or a part and then nng's error.
  virtual void OnWritten(OutboundConnection* connection, int error) = 0;
  // The peer closed, or the stream broke, or Close was called.
  virtual void OnReadEnd(OutboundConnection* connection, const Loss& loss) = 0;
};

class OutboundConnection final : public Channel {
 public:
  // `tls`: null for plaintext.
  OutboundConnection(Caretaker* caretaker, nng_stream* stream,
                     std::shared_ptr<BufferPool> pool,
                     std::unique_ptr<stream::TlsSession> tls,
                     std::shared_ptr<ConnectionOwner> owner);

  stream::WriteBatch* batch() { return &batch_; }

  void Greet();
  // Writes all of the batch, which is not empty.
  void Write() { WriteOut(&batch_); }

 private:
  absl::Span<char> Room() override;
  bool OnBytes(std::size_t bytes) override;
  void OnSecured(int identity, const std::string& certificate) override;
  void OnTlsFailed(const Rejection& failure, bool peer_knows) override;
  void OnEnd(int error) override;
  void OnWritten(int error) override { owner_->OnWritten(this, error); }

  void Refuse(RefusalReason kind, std::string reason);

  const std::shared_ptr<ConnectionOwner> owner_;
  stream::WriteBatch batch_;
  // Of reading.
  char answer_[stream::kPreambleBytes + 1];  // nothing comes behind it
  std::size_t answer_bytes_ = 0;
  std::string certificate_;
  Loss loss_;
};

}  // namespace nng
}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_NNG_OUTBOUND_CONNECTION_H_
