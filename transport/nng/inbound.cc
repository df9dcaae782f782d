#include "cluster/transport/nng/inbound.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/base/mutex.h"
#include "cluster/transport/nng/endpoint.h"
#include "cluster/transport/stream/frame_splitter.h"
#include "cluster/transport/stream/preamble.h"

namespace cluster::internal {
namespace nng {
namespace {

constexpr nng_duration kAcceptPauseMs = 10;

// An accepted connection. Its functions are in the order of its life. All but
// Refuse and Revoke, which may come on any thread, run in nng's callbacks.
//
// The frames of one read are delivered together. Then the next read begins, and
// only then OnDrained is called. It may block, since the next read's callback
// comes on another thread. Deliveries never overlap: each read begins after the
// delivery of the one before.
class Inbound final : public Channel,
                      public AcceptedConnection,
                      private FrameSource {
 public:
  Inbound(Context* context, nng_stream* stream)
      : Channel(context),
        remote_(RemoteText(stream)),
        remote_host_(remote_.substr(0, remote_.rfind(':'))),
        splitter_(context->config.buffers, context->config.frame_bytes_max,
                  context->options.read_buffer_bytes) {}
  ~Inbound() override { context()->admission->Ended(ticket_); }

  // Call once, with the constructor's stream; takes ownership of it.
  void Start(nng_stream* stream) {
    ticket_ = context()->admission->Admit(
        std::static_pointer_cast<Inbound>(shared_from_this()));
    Open(stream, stream::TlsSession::Role::kListener);
  }

  void Refuse(Rejection rejection) override {
    TellRejection(std::move(rejection));
    Close();
  }

  void Revoke() override {
    Close();
    MutexLock lock(&delivering_mutex_);
  }

 private:
  bool MayShakeHands() override {
    waits_for_turn_ = !context()->budget.Begin(remote_host_, Clock::now());
    return !waits_for_turn_;
  }

  void OnSecured(int identity, const std::string& certificate) override {
    identity_ = identity;
    if (!context()->admission->Prove(ticket_, identity, certificate)) Close();
  }

  void OnTlsFailed(const Rejection& failure, bool peer_knows) override {
    TellRejection(Rejection{failure.kind, identity_, failure.reason});
    if (peer_knows) Close();
  }

  absl::Span<char> Room() override { return splitter_.Room(); }

  bool OnBytes(std::size_t bytes) override {
    splitter_.Commit(bytes);
    if (!is_secured()) return DeliverFrames();
    MutexLock lock(&delivering_mutex_);
    return DeliverFrames();
  }

  // Delivers all frames that have arrived; returns whether there was any.
  bool DeliverFrames() {
    bool delivered = false;
    while (!closed()) {
      ReceivedFrame frame;
      frame.identity = identity_;
      frame.source = this;
      const stream::FrameSplitter::Step step = splitter_.Next(&frame.slice);
      if (splitter_.has_preamble() && !greeted_) Greet();
      if (step == stream::FrameSplitter::Step::kMore) break;
      if (step == stream::FrameSplitter::Step::kBad) {
        RefuseFault();
        break;
      }
      delivered = true;
      if (context()->handler->OnFrame(std::move(frame)) ==
          FrameVerdict::kMalformed) {
        Close();
      }
    }
    return delivered;
  }

  std::string Text() const override { return remote_; }

  void OnReadDone() override { context()->drainer.Drain(); }

  void Greet() {
    greeted_ = true;
    ReadUntil(Clock::time_point::max());
    if (is_secured()) context()->budget.Succeeded(remote_host_);
    Say(stream::Preamble());
  }

  void RefuseFault() {
    RefusalReason kind = RefusalReason::kMalformed;
    absl::optional<stream::Answer> answer;
    std::string reason;
    switch (splitter_.fault()) {
      case stream::FrameSplitter::Fault::kTls:
        kind = RefusalReason::kUnauthenticated;
        answer = stream::Answer::kHasNoTls;
        reason = "it speaks TLS, but this server has no security configured";
        break;
      case stream::FrameSplitter::Fault::kOtherVersion:
        answer = stream::Answer::kOtherVersion;
        reason = absl::StrCat(
            "it speaks another version of this protocol than version ",
            int{stream::kVersion});
        break;
      case stream::FrameSplitter::Fault::kStranger:
        reason = "it does not speak this protocol";
        break;
      case stream::FrameSplitter::Fault::kTooLong:
      case stream::FrameSplitter::Fault::kNone:
        reason = absl::StrCat("it announces a frame of more than ",
                              context()->config.frame_bytes_max, " bytes");
    }
    TellRejection(Rejection{kind, identity_, std::move(reason)});
    if (!answer) return Close();
    // The peer closes when it has read the answer.
    Say(stream::AnswerText(*answer));
    Drain();
  }

  void TellRejection(Rejection rejection) {
    if (closed() || rejected_.exchange(true)) return;
    rejection.reason =
        absl::StrCat("connection from ", remote_, ": ", rejection.reason);
    context()->handler->OnRejected(std::move(rejection));
  }

  void OnEnd(int error) override {
    if (error == NNG_ETIMEDOUT && !greeted_) {
      TellRejection(
          Rejection{RefusalReason::kSilent, identity_,
                    waits_for_turn_
                        ? "too many handshakes of its address, or of all, came "
                          "to nothing; it had no turn within the handshake "
                          "timeout"
                        : "it did not greet within the handshake timeout"});
    }
    Close();
  }

  const std::string remote_;
  const std::string remote_host_;
  std::uint64_t ticket_ = 0;  // of the admission
  bool waits_for_turn_ = false;
  bool greeted_ = false;
  std::atomic<bool> rejected_{false};

  // With TLS, held while frames are delivered, so that Revoke waits for it.
  Mutex delivering_mutex_{LockRank::kDelivering};
  stream::FrameSplitter splitter_;
  absl::optional<int> identity_;  // that the peer has proven
};

// Accepts on the bound address. After an error it pauses and tries again, since
// an error like "no more files" lasts for a while.
class Acceptor final : public AsyncHandle {
 public:
  Acceptor(Context* context, nng_stream_listener* listener)
      : AsyncHandle(&context->handles),
        context_(context),
        listener_(listener) {}
  ~Acceptor() override { nng_stream_listener_free(listener_); }

  void Accept() {
    Begin(&aio_, [this] { nng_stream_listener_accept(listener_, aio_.get()); });
  }

 private:
  void OnAccepted() {
    if (nng_aio_result(aio_.get()) == 0 && !pausing_) {
      auto* const stream =
          static_cast<nng_stream*>(nng_aio_get_output(aio_.get(), 0));
      std::make_shared<Inbound>(context_, stream)->Start(stream);
    }
    if (closed()) return;
    pausing_ = !pausing_ && nng_aio_result(aio_.get()) != 0;
    if (!pausing_) return Accept();
    Begin(&aio_, [this] { nng_sleep_aio(kAcceptPauseMs, aio_.get()); });
  }

  void CloseHandles() override {
    nng_stream_listener_close(listener_);
    nng_aio_abort(aio_.get(), NNG_ECLOSED);
  }

  Context* const context_;
  nng_stream_listener* const listener_;
  Aio aio_{&Call<Acceptor, &Acceptor::OnAccepted>};
  bool pausing_ = false;  // the operation under way is a pause
};

}  // namespace

absl::Status Listen(Context* context, const Address& address,
                    std::shared_ptr<AsyncHandle>* acceptor,
                    std::string* bound_address) {
  nng_stream_listener* listener = nullptr;
  const absl::Status status =
      OpenListener(address, context->options.tcp, &listener);
  if (!status.ok()) return status;
  *bound_address = BoundAddress(address, listener);
  const auto made = std::make_shared<Acceptor>(context, listener);
  made->Accept();
  *acceptor = made;
  return absl::OkStatus();
}

}  // namespace nng
}  // namespace cluster::internal
