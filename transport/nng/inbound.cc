#include "transport/nng/inbound.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/nng/endpoint.h"

namespace cluster {
namespace nng {
namespace {

// How often a TLS stream is looked at that may have been lost unnoticed.
constexpr std::chrono::seconds kLookPause{5};

}  // namespace

Inbound::Inbound(InboundContext* context, nng_stream* stream)
    : AsyncHandle(context->caretaker),
      context_(context),
      stream_(stream),
      aio_(NewAio<&Inbound::OnRead>(this)),
      remote_(RemoteText(stream)),
      remote_host_(remote_.substr(0, remote_.rfind(':'))),
      greeting_deadline_(Clock::now() + context->handshake_timeout),
      splitter_(
          context->pool,
          context->authenticator == nullptr ? context->frame_bytes_max : 0,
          context->read_buffer_bytes, context->authenticator != nullptr),
      may_tell_(context->authenticator == nullptr) {}

bool Inbound::Admit(std::uint64_t generation) {
  const absl::optional<InboundId> id =
      context_->authenticator->Admit(generation, shared_from_this());
  if (id) {
    id_.store(*id);
  } else {
    Close();
  }
  return id.has_value();
}

void Inbound::Start() {
  if (context_->authenticator == nullptr ||
      context_->budget.Begin(remote_host_, Clock::now())) {
    Read();
  } else {
    waits_for_turn_.store(true);
    context_->caretaker->Wake();
  }
  Release();  // the creator's
}

void Inbound::Read() {
  const absl::Span<char> room = splitter_.Room();
  nng_iov segment{room.data(), room.size()};
  nng_aio_set_iov(aio_, 1, &segment);
  // From here on, the callback may run on another thread.
  Begin([this] { nng_stream_recv(stream_, aio_); });
}

void Inbound::OnRead(void* self) {
  auto* const inbound = static_cast<Inbound*>(self);
  if (inbound->TakeRead()) inbound->context_->drainer->Drain();
  inbound->Release();
}

bool Inbound::TakeRead() {
  const int error = nng_aio_result(aio_);
  if (error != 0 || closed()) {
    if (IsTlsRefusal(error)) RefuseTls(error);
    Close();
    return false;
  }
  splitter_.Commit(nng_aio_count(aio_));
  const bool told = TellFrames();
  if (!closed()) Read();
  return told;
}

bool Inbound::TellFrames() {
  std::unique_lock<std::mutex> lock(telling_, std::defer_lock);
  if (context_->authenticator != nullptr) lock.lock();
  bool told = false;
  Slice slice;
  while (!closed()) {
    const FrameSplitter::Step step = splitter_.Next(&slice);
    if (step == FrameSplitter::Step::kMore) break;
    if (step == FrameSplitter::Step::kFrame) {
      if (!TellFrame(std::move(slice))) break;
      told = true;
    } else if (step == FrameSplitter::Step::kControl) {
      TakeControl(slice.bytes);
    } else {
      RefuseFault();
      break;
    }
  }
  if (may_tell_ && splitter_.has_preamble()) NoteGreeted();
  return told;
}

void Inbound::NoteGreeted() {
  if (greeted_.load()) return;
  greeted_.store(true);
  if (context_->authenticator == nullptr) return;
  context_->budget.Succeeded(remote_host_);
}

bool Inbound::TellFrame(Slice slice) {
  if (!may_tell_) {
    RefuseFault();
    return false;
  }
  ReceivedFrame frame;
  frame.slice = std::move(slice);
  frame.identity = identity_;
  if (context_->handler->OnFrame(std::move(frame)) ==
      FrameVerdict::kMalformed) {
    Close();
  }
  return true;
}

void Inbound::TakeControl(absl::string_view message) {
  const absl::optional<int> proven =
      context_->authenticator->OnMessage(id_.load(), message);
  if (!proven) return;
  identity_ = proven;
  may_tell_ = true;
  splitter_.set_frame_bytes_max(context_->frame_bytes_max);
}

void Inbound::RefuseFault() {
  switch (splitter_.fault()) {
    case FrameSplitter::Fault::kTls:
      Refuse(RejectionKind::kUnauthenticated,
             "it speaks TLS, but this server has no security configured");
      return;
    case FrameSplitter::Fault::kOtherSecurity:
      Refuse(RejectionKind::kUnauthenticated,
             context_->authenticator != nullptr
                 ? "it asks for a link without proof of identity"
                 : "it asks for a secured link, but this server has no "
                   "security configured");
      return;
    case FrameSplitter::Fault::kStranger:
      Refuse(RejectionKind::kMalformed, "it does not speak this protocol");
      return;
    case FrameSplitter::Fault::kTooLong:
    case FrameSplitter::Fault::kNone:
      break;
  }
  if (may_tell_) {
    Refuse(RejectionKind::kMalformed,
           absl::StrCat("it announces a frame of more than ",
                        context_->frame_bytes_max, " bytes"));
  } else {
    Refuse(RejectionKind::kUnauthenticated,
           "it sends a frame before it has proven who it is");
  }
}

void Inbound::RefuseTls(int error) {
  if (greeted_.load()) {
    Refuse(RejectionKind::kMalformed, "what it sends does not decrypt");
  } else if (error == NNG_EPEERAUTH) {
    Refuse(RejectionKind::kUnauthenticated,
           "TLS handshake: it has no certificate");
  } else {
    Refuse(RejectionKind::kUnauthenticated,
           "TLS handshake: its certificate is unknown here or has expired, or "
           "it does not take this server's, or it does not speak TLS at all");
  }
}

void Inbound::Refuse(RejectionKind kind, absl::string_view reason) {
  Rejection rejection;
  rejection.kind = kind;
  rejection.peer = identity_;
  rejection.reason = std::string(reason);
  Refuse(std::move(rejection));
}

void Inbound::Refuse(Rejection rejection) {
  if (!closed() && !rejected_.exchange(true)) {
    rejection.reason =
        absl::StrCat("connection from ", remote_, ": ", rejection.reason);
    context_->handler->OnRejected(std::move(rejection));
  }
  Close();
}

void Inbound::Revoke() {
  Close();
  std::lock_guard<std::mutex> lock(telling_);
}

Clock::time_point Inbound::TendOpen(Clock::time_point now) {
  if (context_->stopped.load()) Close();
  if (closed()) return Clock::time_point::max();
  if (greeted_.load()) {
    if (context_->authenticator == nullptr) return Clock::time_point::max();
    if (!IsAlive(stream_)) Close();
    return now + kLookPause;
  }
  return TendUngreeted(now);
}

Clock::time_point Inbound::TendUngreeted(Clock::time_point now) {
  if (waits_for_turn_.load() && context_->budget.Begin(remote_host_, now)) {
    waits_for_turn_.store(false);
    // Only the caretaker frees, so it needs no hold here.
    Read();
  }
  const bool waits = waits_for_turn_.load();
  if (now < greeting_deadline_) {
    return waits ? std::min(HandshakeBudget::NextTurn(now), greeting_deadline_)
                 : greeting_deadline_;
  }
  if (waits) {
    Refuse(RejectionKind::kSilent,
           "too many handshakes of its address came to nothing; it had no turn "
           "within the handshake timeout");
  } else if (context_->authenticator != nullptr) {
    Refuse(context_->authenticator->TooLate(id_.load()));
  } else {
    Refuse(RejectionKind::kSilent,
           "it did not greet within the handshake timeout");
  }
  return Clock::time_point::max();
}

void Inbound::CloseHandles() {
  if (context_->authenticator != nullptr) {
    context_->authenticator->Closed(id_.load());
  }
  nng_stream_close(stream_);
  nng_aio_abort(aio_, NNG_ECLOSED);
}

void Inbound::FreeHandles() {
  if (context_->authenticator != nullptr) {
    context_->authenticator->Ended(id_.load());
  }
  nng_aio_free(aio_);
  nng_stream_free(stream_);
}

}  // namespace nng
}  // namespace cluster
