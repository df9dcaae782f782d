// Inbound: a connection that somebody else dialled: it is read, cut into frames
// and handed to the handler.
//
// What it is: nng's stream, one aio and a FrameSplitter. A read's frames are
// told in one go; then the next read begins, and only then OnDrained is called,
// so that it may block: the next read's callback comes on another thread.
// Secured, it has to say whose it is and to prove it
// (transport/nng/identity_proof.h) within the time for greeting, before its
// first frame; then each of its frames has that server's identity. Its
// handshake begins when not too many of its address have come to nothing
// (transport/nng/handshake_budget.h).
// What it is not: written to, ever.
//
// Threads: all runs in nng's callbacks, but for Refuse and Revoke, which may
// come on any thread. Telling frames never overlaps with telling the next,
// since the read between them begins after the first. Ownership: shared by the
// caretaker; it keeps itself going until the stream ends, a bad frame comes, no
// preamble or proof comes in time, or the context stops.
// Errors: end the connection; OnRejected tells why, if it was not the peer's
// wish.
//
//   auto inbound = std::make_shared<Inbound>(&context, stream);
//   if (!inbound->Admit(generation)) ...   // only where it is secured
//   caretaker.Add(inbound);
//   inbound->Start();

#ifndef TRANSPORT_NNG_INBOUND_H_
#define TRANSPORT_NNG_INBOUND_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "transport/buffer_pool.h"
#include "transport/nng/async_handle.h"
#include "transport/nng/authenticator.h"
#include "transport/nng/drainer.h"
#include "transport/nng/frame_splitter.h"
#include "transport/nng/handshake_budget.h"
#include "transport/transport.h"

namespace cluster {
namespace nng {

// What all inbound connections of a transport share. It outlives them.
struct InboundContext {
  TransportHandler* handler = nullptr;
  Caretaker* caretaker = nullptr;
  Drainer* drainer = nullptr;
  Authenticator* authenticator = nullptr;  // null: plaintext
  HandshakeBudget budget;
  std::shared_ptr<BufferPool> pool;
  std::size_t frame_bytes_max = 0;
  std::size_t read_buffer_bytes = 0;
  Clock::duration handshake_timeout{};
  // Once true, and the caretaker woken, every inbound connection is closed.
  std::atomic<bool> stopped{false};
};

class Inbound final : public AsyncHandle,
                      public AcceptedLink,
                      public std::enable_shared_from_this<Inbound> {
 public:
  Inbound(InboundContext* context, nng_stream* stream);

  // Before Start, where there is an authenticator. It is to be started in any
  // case; false: it was closed, being of an older generation.
  bool Admit(std::uint64_t generation);

  // Once.
  void Start();

  void Refuse(Rejection rejection) override;
  void Revoke() override;

 private:
  static void OnRead(void* self);
  // Takes what a read brought; whether any frame was told.
  bool TakeRead();
  bool TellFrames();
  // Whether to go on.
  bool TellFrame(Slice slice);
  void NoteGreeted();
  void TakeControl(absl::string_view message);
  void RefuseFault();
  void RefuseTls(int error);
  void Refuse(RejectionKind kind, absl::string_view reason);
  void Read();

  // Where it has not greeted: what is due, and when to come again.
  Clock::time_point TendUngreeted(Clock::time_point now);
  Clock::time_point TendOpen(Clock::time_point now) override;
  void CloseHandles() override;
  void FreeHandles() override;

  InboundContext* const context_;
  nng_stream* const stream_;
  nng_aio* const aio_;
  const std::string remote_;
  const std::string remote_host_;
  const Clock::time_point greeting_deadline_;
  std::atomic<bool> greeted_{false};
  std::atomic<bool> rejected_{false};
  std::atomic<bool> waits_for_turn_{false};

  // Held while frames are told, if the link is secured.
  std::mutex telling_;
  FrameSplitter splitter_;
  bool may_tell_;                 // plaintext, or proven
  absl::optional<int> identity_;  // that it has proven

  std::atomic<InboundId> id_{0};  // 0: not admitted
};

}  // namespace nng
}  // namespace cluster

#endif  // TRANSPORT_NNG_INBOUND_H_
