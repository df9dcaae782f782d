// Inbound: a connection that somebody else dialled: it is read, cut into frames
// and handed to the handler.
//
// What it is: nng's stream, one aio and a FrameSplitter. A read's frames are
// told in one go; then the next read begins, and only then OnDrained is called,
// so that it may block: the next read's callback comes on another thread.
// What it is not: written to, ever.
//
// Threads: all runs in nng's callbacks. Telling frames never overlaps with
// telling the next, since the read between them begins after the first.
// Ownership: shared by the caretaker; it keeps itself going until the stream
// ends, a bad frame comes, no preamble comes in time, or the context stops.
// Errors: end the connection, in silence.
//
//   auto inbound = std::make_shared<Inbound>(&context, stream);
//   caretaker.Add(inbound);
//   inbound->Start();

#ifndef TRANSPORT_NNG_INBOUND_H_
#define TRANSPORT_NNG_INBOUND_H_

#include <atomic>
#include <cstddef>
#include <memory>

#include "transport/buffer_pool.h"
#include "transport/nng/async_handle.h"
#include "transport/nng/drainer.h"
#include "transport/nng/frame_splitter.h"
#include "transport/transport.h"

namespace cluster {
namespace nng {

// What all inbound connections of a transport share. It outlives them.
struct InboundContext {
  TransportHandler* handler = nullptr;
  Caretaker* caretaker = nullptr;
  Drainer* drainer = nullptr;
  std::shared_ptr<BufferPool> pool = std::make_shared<BufferPool>();
  std::size_t frame_bytes_max = 0;
  std::size_t read_buffer_bytes = 0;
  Clock::duration handshake_timeout{};
  // Once true, and the caretaker woken, every inbound connection is closed.
  std::atomic<bool> stopped{false};
};

class Inbound final : public AsyncHandle {
 public:
  Inbound(InboundContext* context, nng_stream* stream);

  // Once.
  void Start();

 private:
  static void OnRead(void* self);
  // Takes what a read brought; whether any frame was told.
  bool TakeRead();
  bool TellFrames();
  void Read();

  Clock::time_point TendOpen(Clock::time_point now) override;
  void CloseHandles() override;
  void FreeHandles() override;

  InboundContext* const context_;
  nng_stream* const stream_;
  nng_aio* const aio_;
  const Clock::time_point greeting_deadline_;
  FrameSplitter splitter_;
  std::atomic<bool> greeted_{false};
};

}  // namespace nng
}  // namespace cluster

#endif  // TRANSPORT_NNG_INBOUND_H_
