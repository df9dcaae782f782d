#include "cluster/transport/nng/nng_io.h"

#include <nng/nng.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/memory/memory.h"
#include "cluster/base/check.h"
#include "cluster/base/fork_generation.h"
#include "cluster/transport/nng/drainer.h"
#include "cluster/transport/stream/write_batch.h"

namespace cluster::internal {
namespace nng {
namespace {

using stream::Clock;

// How long the destructor waits for nng to close descriptors.
constexpr std::chrono::seconds kFreeTime{5};

// nng's threads belong to the process that first used it. In a forked child nng
// aborts (nng 1.5: "nng is not fork-reentrant safe").
absl::Status CheckGeneration() {
  static std::atomic<std::uint64_t> used_in{0};
  std::uint64_t before = 0;
  if (used_in.compare_exchange_strong(before, ForkGeneration()) ||
      before == ForkGeneration()) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      "a server was started over nng in the process that forked this one, and "
      "nng cannot be used in both: fork before the first Start, call exec in "
      "the child, or use \"transport\": \"tcp\" or \"zmq\"");
}

// In milliseconds, as nng takes them; not negative.
nng_duration ToTimeout(Clock::duration time) {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(time).count();
  return static_cast<nng_duration>(
      std::min<std::int64_t>(std::max<std::int64_t>(ms, 0), INT32_MAX));
}

class NngStream;

// An nng_aio. No exception may reach the threads that call back.
class NngOperation final : public stream::Operation {
 public:
  explicit NngOperation(Done done) : Operation(done) {
    CLUSTER_CHECK(nng_aio_alloc(&aio_, &NngOperation::OnDone, this) == 0,
                  "out of memory");
  }
  // Does not wait for the callback, which may be the caller. nng's reaper frees
  // it later.
  ~NngOperation() override { nng_aio_reap(aio_); }

  nng_aio* aio() const { return aio_; }

  void Dial(nng_stream_dialer* dialer, NngStream* stream) {
    dialled_ = stream;
    nng_stream_dialer_dial(dialer, aio_);
  }

  void Sleep(Clock::duration time) override {
    nng_sleep_aio(ToTimeout(time), aio_);
  }
  // Also ends other operations: nng 1.5.2 calls back for an operation on a
  // closed stream only if it is aborted.
  void Abort() override { nng_aio_abort(aio_, NNG_ECANCELED); }

 private:
  static void OnDone(void* self) {
    OrEndProcess("a callback of nng",
                 [self] { static_cast<NngOperation*>(self)->TakeResult(); });
  }
  void TakeResult();

  nng_aio* aio_ = nullptr;
  NngStream* dialled_ = nullptr;
};

nng_aio* AioOf(stream::Operation* operation) {
  return static_cast<NngOperation*>(operation)->aio();
}

// Dialled, with a dialer of its own, or accepted.
class NngStream final : public stream::ByteStream {
 public:
  explicit NngStream(nng_stream_dialer* dialer) : dialer_(dialer) {}
  explicit NngStream(nng_stream* accepted) : stream_(accepted) {}
  ~NngStream() override {
    if (nng_stream* const stream = stream_.load()) nng_stream_free(stream);
    if (dialer_ != nullptr) FreeDialer(dialer_);
  }

  void Connect(stream::Operation* operation) override {
    static_cast<NngOperation*>(operation)->Dial(dialer_, this);
  }
  void OnDialled(nng_stream* stream) { stream_.store(stream); }

  void Receive(stream::Operation* operation, absl::Span<char> room) override {
    const nng_iov segment{room.data(), room.size()};
    nng_aio_set_iov(AioOf(operation), 1, &segment);
    nng_stream_recv(stream_, AioOf(operation));
  }

  // nng does it itself.
  absl::optional<Sent> TrySend(Segments /*segments*/) override {
    return absl::nullopt;
  }

  void Send(stream::Operation* operation, Segments segments) override {
    nng_iov iov[stream::WriteBatch::kSegmentsMax];
    unsigned count = 0;
    for (const absl::string_view bytes : segments)
      iov[count++] = nng_iov{const_cast<char*>(bytes.data()), bytes.size()};
    nng_aio_set_iov(AioOf(operation), count, iov);
    nng_stream_send(stream_, AioOf(operation));
  }

  void Close() override {
    if (dialer_ != nullptr) nng_stream_dialer_close(dialer_);
    if (nng_stream* const stream = stream_.load()) nng_stream_close(stream);
  }

  std::string RemoteText() const override {
    return nng::RemoteText(stream_.load());
  }
  bool LeadsToItself() const override { return nng::LeadsToItself(stream_); }
  void Reset() override { ResetToItself(stream_); }

 private:
  nng_stream_dialer* const dialer_ = nullptr;
  std::atomic<nng_stream*> stream_{nullptr};
};

void NngOperation::TakeResult() {
  const int error = nng_aio_result(aio_);
  const std::size_t bytes = error == 0 ? nng_aio_count(aio_) : 0;
  if (error == 0 && dialled_ != nullptr)
    dialled_->OnDialled(static_cast<nng_stream*>(nng_aio_get_output(aio_, 0)));
  End(ToErrno(error), bytes);
}

class NngListener final : public stream::Listener {
 public:
  explicit NngListener(nng_stream_listener* listener) : listener_(listener) {}
  ~NngListener() override { nng_stream_listener_free(listener_); }

  void Accept(stream::Operation* operation) override {
    aio_ = AioOf(operation);
    nng_stream_listener_accept(listener_, aio_);
  }
  std::unique_ptr<stream::ByteStream> TakeStream() override {
    return absl::make_unique<NngStream>(
        static_cast<nng_stream*>(nng_aio_get_output(aio_, 0)));
  }
  void Close() override { nng_stream_listener_close(listener_); }
  std::uint16_t port() const override { return BoundPort(listener_); }

 private:
  nng_stream_listener* const listener_;
  nng_aio* aio_ = nullptr;
};

class NngIo final : public stream::Io {
 public:
  explicit NngIo(const TcpOptions& options) : options_(options) {}
  // nng goes on closing descriptors after Stop, some thousands per second. The
  // next server would count them, so wait. In a forked child nng has no thread
  // to wait for.
  ~NngIo() override {
    if (used_ && CheckGeneration().ok()) AwaitReaper(Clock::now() + kFreeTime);
  }

  absl::Status Start(TransportHandler* handler) override {
    if (absl::Status status = CheckGeneration(); !status.ok()) return status;
    drainer_ = absl::make_unique<Drainer>(handler);
    return drainer_->Start();
  }
  void Stop() override { drainer_->Stop(); }

  std::unique_ptr<stream::Operation> NewOperation(
      stream::Operation::Done done) override {
    return absl::make_unique<NngOperation>(done);
  }

  int Listen(const Address& numbers,
             std::unique_ptr<stream::Listener>* listener) override {
    used_ = true;
    nng_stream_listener* made = nullptr;
    const int error = OpenListener(numbers, options_, &made);
    if (error == 0) *listener = absl::make_unique<NngListener>(made);
    return ToErrno(error);
  }

  absl::StatusOr<std::unique_ptr<stream::ByteStream>> NewStream(
      const Address& numbers) override {
    nng_stream_dialer* dialer = nullptr;
    const absl::Status status = OpenDialer(numbers, options_, &dialer);
    if (!status.ok()) return status;
    return absl::make_unique<NngStream>(dialer);
  }

  void Drain() override { drainer_->Drain(); }

 private:
  const TcpOptions options_;
  std::unique_ptr<Drainer> drainer_;
  bool used_ = false;  // nng; a listener comes first
};

}  // namespace

std::unique_ptr<stream::Io> NewNngIo(const TcpOptions& options) {
  return absl::make_unique<NngIo>(options);
}

}  // namespace nng
}  // namespace cluster::internal
