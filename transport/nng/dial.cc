#include "cluster/transport/nng/dial.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/transport/nng/endpoint.h"

namespace cluster {
namespace nng {

Dial::Dial(Caretaker* caretaker, std::shared_ptr<DialListener> listener,
           Address address, nng_stream_dialer* dialer)
    : AsyncHandle(caretaker),
      listener_(std::move(listener)),
      address_(std::move(address)),
      dialer_(dialer),
      aio_(NewAio<&Dial::OnDone>(this)) {}

void Dial::Start() {
  Begin([this] { nng_stream_dialer_dial(dialer_, aio_); });
  Release();  // the creator's
}

void Dial::OnDone(void* self) {
  auto* const dial = static_cast<Dial*>(self);
  dial->Finish();
  dial->Close();
  dial->Release();
}

void Dial::Finish() {
  const int error = nng_aio_result(aio_);
  if (error != 0) {
    listener_->OnDialled(this, ErrorStatus(error, "connect to", address_));
    return;
  }
  auto* const stream = static_cast<nng_stream*>(nng_aio_get_output(aio_, 0));
  if (LeadsToItself(stream)) {
    ResetToItself(stream);
    listener_->OnDialled(
        this,
        absl::UnavailableError(absl::StrCat(
            "connect to ", ToString(address_),
            ": nobody listens there, and the attempt connected to itself; "
            "give servers ports outside of ip_local_port_range")));
    return;
  }
  listener_->OnDialled(this, stream);
}

void Dial::CloseHandles() {
  nng_stream_dialer_close(dialer_);
  nng_aio_abort(aio_, NNG_ECLOSED);
}

void Dial::FreeHandles() {
  nng_aio_free(aio_);
  FreeDialer(dialer_);
}

}  // namespace nng
}  // namespace cluster
