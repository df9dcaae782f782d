#include "transport/nng/inbound.h"

#include <utility>

namespace cluster {
namespace nng {

Inbound::Inbound(InboundContext* context, nng_stream* stream)
    : AsyncHandle(context->caretaker),
      context_(context),
      stream_(stream),
      aio_(NewAio(&Inbound::OnRead, this)),
      greeting_deadline_(Clock::now() + context->handshake_timeout),
      splitter_(context->pool, context->frame_bytes_max,
                context->read_buffer_bytes) {}

void Inbound::Start() {
  Read();
  Release();  // the creator's
}

void Inbound::Read() {
  const absl::Span<char> room = splitter_.Room();
  nng_iov segment{room.data(), room.size()};
  nng_aio_set_iov(aio_, 1, &segment);
  // From here on, the callback may run on another thread.
  Begin(aio_, [this] { nng_stream_recv(stream_, aio_); });
}

void Inbound::OnRead(void* self) {
  auto* const inbound = static_cast<Inbound*>(self);
  if (inbound->TakeRead()) inbound->context_->drainer->Drain();
  inbound->Release();
}

bool Inbound::TakeRead() {
  if (nng_aio_result(aio_) != 0 || closed()) {
    Close();
    return false;
  }
  splitter_.Commit(nng_aio_count(aio_));
  const bool told = TellFrames();
  if (!closed()) Read();
  return told;
}

bool Inbound::TellFrames() {
  bool told = false;
  ReceivedFrame frame;
  while (!closed()) {
    const FrameSplitter::Step step = splitter_.Next(&frame.slice);
    if (step == FrameSplitter::Step::kMore) break;
    if (step == FrameSplitter::Step::kBad) {
      Close();
      break;
    }
    told = true;
    if (context_->handler->OnFrame(std::move(frame)) ==
        FrameVerdict::kMalformed) {
      Close();
    }
  }
  if (splitter_.has_preamble()) greeted_.store(true);
  return told;
}

Clock::time_point Inbound::TendOpen(Clock::time_point now) {
  if (context_->stopped.load()) Close();
  if (closed() || greeted_.load()) return Clock::time_point::max();
  if (now >= greeting_deadline_) {
    Close();
    return Clock::time_point::max();
  }
  return greeting_deadline_;
}

void Inbound::CloseHandles() {
  nng_stream_close(stream_);
  nng_aio_abort(aio_, NNG_ECLOSED);
}

void Inbound::FreeHandles() {
  nng_aio_free(aio_);
  nng_stream_free(stream_);
}

}  // namespace nng
}  // namespace cluster
