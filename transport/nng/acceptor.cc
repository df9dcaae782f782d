#include "cluster/transport/nng/acceptor.h"

#include <utility>

#include "cluster/transport/nng/endpoint.h"

namespace cluster {
namespace nng {
namespace {

constexpr std::chrono::milliseconds kPause{10};

}  // namespace

absl::StatusOr<std::shared_ptr<Acceptor>> Acceptor::Open(Caretaker* caretaker,
                                                         const Address& address,
                                                         Accepted accepted) {
  nng_stream_listener* listener = nullptr;
  const absl::Status status = OpenListener(address, &listener);
  if (!status.ok()) return status;
  return std::make_shared<Acceptor>(caretaker, listener,
                                    BoundAddress(address, listener),
                                    std::move(accepted));
}

Acceptor::Acceptor(Caretaker* caretaker, nng_stream_listener* listener,
                   std::string bound_address, Accepted accepted)
    : AsyncHandle(caretaker),
      listener_(listener),
      bound_address_(std::move(bound_address)),
      accepted_(std::move(accepted)),
      aio_(NewAio<&Acceptor::OnAccept>(this)) {}

void Acceptor::Start() {
  Accept();
  Release();  // the creator's
}

void Acceptor::Accept() {
  Begin([this] { nng_stream_listener_accept(listener_, aio_); });
}

void Acceptor::OnAccept(void* self) {
  auto* const acceptor = static_cast<Acceptor*>(self);
  acceptor->TakeAccept();
  acceptor->Release();
}

void Acceptor::TakeAccept() {
  if (nng_aio_result(aio_) == 0) {
    accepted_(static_cast<nng_stream*>(nng_aio_get_output(aio_, 0)));
    if (!closed()) Accept();
    return;
  }
  if (closed()) return;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    again_at_ = Clock::now() + kPause;
  }
  caretaker()->Wake();
}

Clock::time_point Acceptor::TendOpen(Clock::time_point now) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (!again_at_.has_value()) return Clock::time_point::max();
  if (now < *again_at_) return *again_at_;
  again_at_.reset();
  lock.unlock();
  // Only the caretaker frees, so it needs no hold here.
  if (!closed()) Accept();
  return Clock::time_point::max();
}

void Acceptor::CloseHandles() {
  nng_stream_listener_close(listener_);
  nng_aio_abort(aio_, NNG_ECLOSED);
}

void Acceptor::FreeHandles() {
  nng_aio_free(aio_);
  nng_stream_listener_free(listener_);
}

}  // namespace nng
}  // namespace cluster
