#include "transport/nng/dial.h"

#include <utility>

#include "transport/nng/endpoint.h"

namespace cluster {
namespace nng {

Dial::Dial(Caretaker* caretaker, std::shared_ptr<DialListener> listener)
    : AsyncHandle(caretaker),
      listener_(std::move(listener)),
      aio_(NewAio(&Dial::OnDone, this)) {}

absl::Status Dial::Start(const Address& address, unsigned attempt) {
  address_ = address;
  const absl::Status status = OpenDialer(address, attempt, &dialer_);
  if (status.ok()) {
    Begin(aio_, [this] { nng_stream_dialer_dial(dialer_, aio_); });
  } else {
    Close();
  }
  Release();  // the creator's
  return status;
}

void Dial::OnDone(void* self) {
  auto* const dial = static_cast<Dial*>(self);
  dial->Finish();
  dial->Close();
  dial->Release();
}

void Dial::Finish() {
  const int error = nng_aio_result(aio_);
  if (error == 0) {
    listener_->OnDialled(this,
                         static_cast<nng_stream*>(nng_aio_get_output(aio_, 0)));
  } else {
    listener_->OnDialled(this, ErrorStatus(error, "connect to", address_));
  }
}

void Dial::CloseHandles() {
  if (dialer_ != nullptr) nng_stream_dialer_close(dialer_);
  nng_aio_abort(aio_, NNG_ECLOSED);
}

void Dial::FreeHandles() {
  nng_aio_free(aio_);
  if (dialer_ != nullptr) FreeDialer(dialer_);
}

}  // namespace nng
}  // namespace cluster
