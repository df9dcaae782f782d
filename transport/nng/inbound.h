// Inbound: a connection that somebody else dialled: it is read, cut into frames
// and handed to the handler.
//
// Its life: a TLS handshake where it is secured, in its turn
// (transport/stream/handshake_budget.h); the dialler's greeting, which it
// answers; frames; the end. Whoever is refused is told why and may close first,
// until the time for greeting is over. A read's frames are told in one go; then
// the next read begins, and only then OnDrained is called, so that it may block:
// the next read's callback comes on another thread.
//
// Threads: all runs in nng's callbacks, but for Refuse and Revoke, which may
// come on any thread. Telling frames never overlaps with telling the next, since
// the read between them begins after the first. Ownership: shared by the
// caretaker; it keeps itself going until the stream ends, a bad frame comes, no
// greeting comes in time, or the context stops.
// Errors: end the connection; OnRejected tells why, if it was not the peer's
// wish.
//
//   auto inbound = std::make_shared<Inbound>(&context, stream);
//   caretaker.Add(inbound);
//   inbound->Start();

#ifndef CLUSTER_TRANSPORT_NNG_INBOUND_H_
#define CLUSTER_TRANSPORT_NNG_INBOUND_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "cluster/base/buffer_pool.h"
#include "cluster/transport/nng/admission.h"
#include "cluster/transport/nng/channel.h"
#include "cluster/transport/nng/drainer.h"
#include "cluster/transport/stream/frame_splitter.h"
#include "cluster/transport/stream/handshake_budget.h"
#include "cluster/transport/stream/preamble.h"
#include "cluster/transport/transport.h"

namespace cluster {
namespace nng {

// What all inbound connections of a transport share. It outlives them.
struct InboundContext {
  TransportHandler* handler = nullptr;
  Caretaker* caretaker = nullptr;
  Drainer* drainer = nullptr;
  Admission* admission = nullptr;  // null: plaintext
  stream::HandshakeBudget budget;
  std::shared_ptr<BufferPool> pool;
  std::size_t frame_bytes_max = 0;
  std::size_t read_buffer_bytes = 0;
  Clock::duration handshake_timeout{};
  // Once true, and the caretaker woken, every inbound connection is closed.
  std::atomic<bool> stopped{false};
};

class Inbound final : public Channel,
                      public AcceptedLink,
                      public std::enable_shared_from_this<Inbound> {
 public:
  Inbound(InboundContext* context, nng_stream* stream);

  // Once.
  void Start();

  void Refuse(Rejection rejection) override;
  void Revoke() override;

 private:
  absl::Span<char> Room() override { return splitter_.Room(); }
  bool OnBytes(std::size_t bytes) override;
  void OnReadDone() override { context_->drainer->Drain(); }
  bool MayShakeHands() override;
  void OnSecured(int identity, const std::string& certificate) override;
  void OnTlsFailed(const Rejection& failure, bool peer_knows) override;
  void OnEnd(int /*error*/) override { Close(); }

  void TellFrame(Slice slice);
  void NoteGreeted();
  void RefuseFault();
  Rejection NewRejection(RefusalReason kind, absl::string_view reason) const;
  void TellRejection(Rejection rejection);
  // Answers why, and leaves it to the peer to close.
  void RefuseWith(stream::Answer answer, absl::string_view reason);

  Clock::time_point TendOpen(Clock::time_point now) override;
  void FreeHandles() override;

  InboundContext* const context_;
  const std::string remote_;
  const std::string remote_host_;
  const Clock::time_point greeting_deadline_;
  std::atomic<bool> greeted_{false};
  std::atomic<bool> rejected_{false};
  std::atomic<bool> waits_for_turn_{false};

  // Held while frames are told, if the connection is secured.
  std::mutex telling_;
  stream::FrameSplitter splitter_;
  absl::optional<int> identity_;  // that it has proven

  std::uint64_t ticket_ = 0;  // of the admission
};

}  // namespace nng
}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_NNG_INBOUND_H_
