// OutboundConnection: one established stream to a peer: the writes that go out
// on it, and a read that never brings anything but its end.
//
// What it is: nng's stream, an aio for each direction and the batch that is
// being written. The read is there because a peer that closes is noticed only
// by one.
// What it is not: the queue, or the decision what to write next: its owner
// (outbound.h) sees to that, under its own lock.
//
// Threads: one write at a time, of which the owner keeps count; between Write
// and the call of OnWritten the batch is not to be touched. The owner is called
// on nng's threads, never inline. Ownership: it shares its owner until it is
// freed.
// Errors: told to the owner; exactly one OnReadEnd for each connection, and
// after an OnWritten with an error no more writes.
//
//   auto connection = std::make_shared<OutboundConnection>(&caretaker, stream,
//                                                          outbound);
//   caretaker.Add(connection);
//   connection->WatchEnd();
//   connection->batch()->Fill(&queue);
//   connection->Write();
//   ...
//   connection->Release();   // when it has ended and nothing more is begun

#ifndef TRANSPORT_NNG_OUTBOUND_CONNECTION_H_
#define TRANSPORT_NNG_OUTBOUND_CONNECTION_H_

#include <memory>

#include "transport/nng/async_handle.h"
#include "transport/nng/write_batch.h"

namespace cluster {
namespace nng {

class OutboundConnection;

class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  // The whole batch has been written (0), or a part and then nng's error.
  virtual void OnWritten(OutboundConnection* connection, int error) = 0;
  // The peer closed, or the stream broke, or Close was called.
  virtual void OnReadEnd(OutboundConnection* connection, int error) = 0;
};

class OutboundConnection final : public AsyncHandle {
 public:
  OutboundConnection(Caretaker* caretaker, nng_stream* stream,
                     std::shared_ptr<ConnectionOwner> owner);

  WriteBatch* batch() { return &batch_; }

  void WatchEnd();
  // Writes all of the batch, which is not empty.
  void Write();

 private:
  static void OnSent(void* self);
  static void OnReceived(void* self);
  void Continue();
  void CloseHandles() override;
  void FreeHandles() override;

  const std::shared_ptr<ConnectionOwner> owner_;
  nng_stream* const stream_;
  nng_aio* const send_aio_;
  nng_aio* const receive_aio_;
  WriteBatch batch_;
  char unexpected_[1];
};

}  // namespace nng
}  // namespace cluster

#endif  // TRANSPORT_NNG_OUTBOUND_CONNECTION_H_
