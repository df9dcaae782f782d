// Dial: one attempt to connect.
//
// What it is: a dialer of nng, made anew for each attempt so that the name is
// resolved anew, and its one operation. What it is not: the decision when to
// try again (outbound.h).
//
// Threads: Start once. The listener is called once, on nng's thread, with a
// stream that is then its own, or an error; after Close too. Ownership: it
// shares the listener until then.
// Errors: to the listener.
//
//   auto dial = std::make_shared<Dial>(&caretaker, outbound);
//   caretaker.Add(dial);
//   dial->Start(address, attempt);

#ifndef TRANSPORT_NNG_DIAL_H_
#define TRANSPORT_NNG_DIAL_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "transport/address.h"
#include "transport/nng/async_handle.h"

namespace cluster {
namespace nng {

class Dial;

class DialListener {
 public:
  virtual ~DialListener() = default;
  virtual void OnDialled(const Dial* dial,
                         absl::StatusOr<nng_stream*> stream) = 0;
};

class Dial final : public AsyncHandle {
 public:
  Dial(Caretaker* caretaker, std::shared_ptr<DialListener> listener);

  // Not OK: the attempt could not even begin; the listener is not called.
  absl::Status Start(const Address& address, unsigned attempt);

 private:
  static void OnDone(void* self);
  void Finish();
  void CloseHandles() override;
  void FreeHandles() override;

  std::shared_ptr<DialListener> listener_;
  Address address_;
  nng_stream_dialer* dialer_ = nullptr;
  nng_aio* const aio_;
};

}  // namespace nng
}  // namespace cluster

#endif  // TRANSPORT_NNG_DIAL_H_
