#include "cluster/transport/nng/inbound.h"

#include <algorithm>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "cluster/transport/nng/endpoint.h"

namespace cluster {
namespace nng {
namespace {

std::unique_ptr<stream::TlsSession> NewSession(const InboundContext& context) {
  if (context.admission == nullptr) return nullptr;
  return absl::make_unique<stream::TlsSession>(
      context.admission->material(), stream::TlsSession::Role::kListener,
      context.pool);
}

}  // namespace

Inbound::Inbound(InboundContext* context, nng_stream* stream)
    : Channel(context->caretaker, stream, context->pool, NewSession(*context)),
      context_(context),
      remote_(RemoteText(stream)),
      remote_host_(remote_.substr(0, remote_.rfind(':'))),
      greeting_deadline_(Clock::now() + context->handshake_timeout),
      splitter_(context->pool, context->frame_bytes_max,
                context->read_buffer_bytes) {}

void Inbound::Start() {
  if (secured()) ticket_ = context_->admission->Admit(weak_from_this());
  Open();
  Release();  // the creator's
}

bool Inbound::MayShakeHands() {
  if (context_->budget.Begin(remote_host_, Clock::now())) return true;
  waits_for_turn_.store(true);
  context_->caretaker->Wake();
  return false;
}

void Inbound::OnSecured(int identity, const std::string& certificate) {
  identity_ = identity;
  if (!context_->admission->Prove(ticket_, identity, certificate)) Close();
}

void Inbound::OnTlsFailed(const Rejection& failure, bool peer_knows) {
  TellRejection(NewRejection(failure.kind, failure.reason));
  if (peer_knows) Close();
}

bool Inbound::OnBytes(std::size_t bytes) {
  splitter_.Commit(bytes);
  std::unique_lock<std::mutex> lock(telling_, std::defer_lock);
  if (secured()) lock.lock();
  bool told = false;
  Slice slice;
  while (!closed()) {
    const stream::FrameSplitter::Step step = splitter_.Next(&slice);
    if (splitter_.has_preamble()) NoteGreeted();
    if (step == stream::FrameSplitter::Step::kMore) break;
    if (step == stream::FrameSplitter::Step::kBad) {
      RefuseFault();
      break;
    }
    TellFrame(std::move(slice));
    told = true;
  }
  return told;
}

void Inbound::NoteGreeted() {
  if (greeted_.exchange(true)) return;
  if (secured()) context_->budget.Succeeded(remote_host_);
  Say(stream::Preamble());
}

void Inbound::TellFrame(Slice slice) {
  ReceivedFrame frame;
  frame.slice = std::move(slice);
  frame.identity = identity_;
  if (context_->handler->OnFrame(std::move(frame)) ==
      FrameVerdict::kMalformed) {
    Close();
  }
}

void Inbound::RefuseFault() {
  switch (splitter_.fault()) {
    case stream::FrameSplitter::Fault::kTls:
      RefuseWith(stream::Answer::kHasNoTls,
                 "it speaks TLS, but this server has no security configured");
      return;
    case stream::FrameSplitter::Fault::kOtherVersion:
      RefuseWith(stream::Answer::kOtherVersion,
                 absl::StrCat("it speaks another version of this protocol than "
                              "version ",
                              int{stream::kVersion}));
      return;
    case stream::FrameSplitter::Fault::kStranger:
      Refuse(NewRejection(RefusalReason::kMalformed,
                          "it does not speak this protocol"));
      return;
    case stream::FrameSplitter::Fault::kTooLong:
    case stream::FrameSplitter::Fault::kNone:
      Refuse(NewRejection(RefusalReason::kMalformed,
                          absl::StrCat("it announces a frame of more than ",
                                       context_->frame_bytes_max, " bytes")));
  }
}

void Inbound::RefuseWith(stream::Answer answer, absl::string_view reason) {
  TellRejection(NewRejection(answer == stream::Answer::kHasNoTls
                                 ? RefusalReason::kUnauthenticated
                                 : RefusalReason::kMalformed,
                             reason));
  Say(stream::AnswerText(answer));
  Drain();
}

Rejection Inbound::NewRejection(RefusalReason kind,
                                absl::string_view reason) const {
  Rejection rejection;
  rejection.kind = kind;
  rejection.peer = identity_;
  rejection.reason = std::string(reason);
  return rejection;
}

void Inbound::TellRejection(Rejection rejection) {
  if (closed() || rejected_.exchange(true)) return;
  rejection.reason =
      absl::StrCat("connection from ", remote_, ": ", rejection.reason);
  context_->handler->OnRejected(std::move(rejection));
}

void Inbound::Refuse(Rejection rejection) {
  TellRejection(std::move(rejection));
  Close();
}

void Inbound::Revoke() {
  Close();
  std::lock_guard<std::mutex> lock(telling_);
}

Clock::time_point Inbound::TendOpen(Clock::time_point now) {
  if (context_->stopped.load()) Close();
  if (closed() || greeted_.load()) return Clock::time_point::max();
  if (waits_for_turn_.load() && context_->budget.Begin(remote_host_, now)) {
    waits_for_turn_.store(false);
    // Only the caretaker frees, so it needs no hold here.
    Resume();
  }
  const bool waits = waits_for_turn_.load();
  if (now < greeting_deadline_) {
    return waits ? std::min(stream::HandshakeBudget::NextTurn(now),
                            greeting_deadline_)
                 : greeting_deadline_;
  }
  Rejection rejection;  // identity_ is not the caretaker's to read
  rejection.kind = RefusalReason::kSilent;
  rejection.reason =
      waits ? "too many handshakes of its address, or of all, came to nothing; "
              "it had no turn within the handshake timeout"
            : "it did not greet within the handshake timeout";
  Refuse(std::move(rejection));
  return Clock::time_point::max();
}

void Inbound::FreeHandles() {
  if (secured()) context_->admission->Ended(ticket_);
  Channel::FreeHandles();
}

}  // namespace nng
}  // namespace cluster
