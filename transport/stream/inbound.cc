#include "cluster/transport/stream/inbound.h"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/base/mutex.h"
#include "cluster/transport/stream/endpoint.h"
#include "cluster/transport/stream/frame_splitter.h"
#include "cluster/transport/stream/preamble.h"

namespace cluster::internal {
namespace stream {
namespace {

constexpr std::chrono::milliseconds kAcceptPause{10};

std::string RemoteOf(const ByteStream& stream) {
  std::string text = stream.RemoteText();
  return text.empty() ? "an unknown address" : text;
}

// An accepted connection. Its functions are in the order of its life. All but
// Refuse and Revoke, which may come on any thread, run in callbacks of its
// operations.
//
// The frames of one read are delivered together. Then the next read begins, and
// only then OnDrained is called. It may block, since the next read's callback
// comes on another thread. Deliveries never overlap: each read begins after the
// delivery of the one before.
class Inbound final : public Channel,
                      public AcceptedConnection,
                      private FrameSource {
 public:
  Inbound(Context* context, std::unique_ptr<ByteStream> stream)
      : Channel(context, std::move(stream)),
        remote_(RemoteOf(*this->stream())),
        remote_host_(remote_.substr(0, remote_.rfind(':'))),
        splitter_(context->config.buffers, context->config.frame_bytes_max,
                  context->options.read_buffer_bytes) {}
  ~Inbound() override { context()->admission->Ended(ticket_); }

  // Call once.
  void Start() {
    ticket_ = context()->admission->Admit(
        std::static_pointer_cast<Inbound>(shared_from_this()));
    Open(TlsSession::Role::kListener);
  }

  void Refuse(Rejection rejection) override {
    ReportRejection(std::move(rejection));
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
    ReportRejection(Rejection{failure.kind, identity_, failure.reason});
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
      const FrameSplitter::Step step = splitter_.Next(&frame.slice);
      if (splitter_.has_preamble() && !greeted_) Greet();
      if (step == FrameSplitter::Step::kMore) break;
      if (step == FrameSplitter::Step::kBad) {
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

  void OnReadDone() override { context()->io->Drain(); }

  void Greet() {
    greeted_ = true;
    EndAt(Clock::time_point::max());
    if (is_secured()) context()->budget.Succeeded(remote_host_);
    Say(Preamble());
  }

  void RefuseFault() {
    RefusalReason kind = RefusalReason::kMalformed;
    absl::optional<Answer> answer;
    std::string reason;
    switch (splitter_.fault()) {
      case FrameSplitter::Fault::kTls:
        kind = RefusalReason::kUnauthenticated;
        answer = Answer::kHasNoTls;
        reason = "it speaks TLS, but this server has no security configured";
        break;
      case FrameSplitter::Fault::kOtherVersion:
        answer = Answer::kOtherVersion;
        reason = absl::StrCat(
            "it speaks another version of this protocol than version ",
            int{kVersion});
        break;
      case FrameSplitter::Fault::kStranger:
        reason = "it does not speak this protocol";
        break;
      case FrameSplitter::Fault::kTooLong:
      case FrameSplitter::Fault::kNone:
        reason = absl::StrCat("it announces a frame of more than ",
                              context()->config.frame_bytes_max, " bytes");
    }
    ReportRejection(Rejection{kind, identity_, std::move(reason)});
    if (!answer) return Close();
    // The peer closes when it has read the answer.
    Say(AnswerText(*answer));
    Drain();
  }

  void ReportRejection(Rejection rejection) {
    if (!closed()) ReportFirst(std::move(rejection));
  }

  void ReportFirst(Rejection rejection) {
    if (rejected_.exchange(true)) return;
    rejection.reason =
        absl::StrCat("connection from ", remote_, ": ", rejection.reason);
    context()->handler->OnRejected(std::move(rejection));
  }

  void OnEnd(int error) override {
    if (error == ETIMEDOUT && !greeted_) {
      ReportFirst(
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
  FrameSplitter splitter_;
  absl::optional<int> identity_;  // that the peer has proven
};

// Accepts on the bound address. After an error it pauses and tries again, since
// an error like "no more files" lasts for a while.
class Acceptor final : public AsyncHandle {
 public:
  Acceptor(Context* context, std::unique_ptr<Listener> listener)
      : AsyncHandle(&context->handles),
        context_(context),
        listener_(std::move(listener)) {}

  void Accept() {
    Begin(accept_.get(), [this] { listener_->Accept(accept_.get()); });
  }

 private:
  void OnAccepted(int error, std::size_t /*bytes*/) {
    std::unique_ptr<ByteStream> stream;
    if (error == 0 && !pausing_) stream = listener_->TakeStream();
    pausing_ = !pausing_ && stream == nullptr;
    if (stream != nullptr)
      std::make_shared<Inbound>(context_, std::move(stream))->Start();
    if (closed()) return;
    if (!pausing_) return Accept();
    Begin(accept_.get(), [this] { accept_->Sleep(kAcceptPause); });
  }

  void EndOperations() override {
    listener_->Close();
    accept_->Abort();
  }

  Context* const context_;
  const std::unique_ptr<Listener> listener_;
  const std::unique_ptr<Operation> accept_ =
      context_->io->NewOperation(&Call<Acceptor, &Acceptor::OnAccepted>);
  bool pausing_ = false;  // the operation under way is a pause
};

}  // namespace

absl::Status Listen(Context* context, const Address& address,
                    std::shared_ptr<AsyncHandle>* acceptor,
                    std::string* bound_address) {
  std::unique_ptr<Listener> listener;
  const absl::Status status = OpenListener(context->io, address, &listener);
  if (!status.ok()) return status;
  cluster::Address bound = address;
  bound.port = listener->port();
  *bound_address = ToString(bound);
  const auto made = std::make_shared<Acceptor>(context, std::move(listener));
  made->Accept();
  *acceptor = made;
  return absl::OkStatus();
}

}  // namespace stream
}  // namespace cluster::internal
