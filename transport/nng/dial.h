// Dial: one attempt to connect, with a dialer of nng of its own, so that the name
// is resolved anew.
//
// Threads: Start once. The listener is called once, on nng's thread, with a
// stream that is then its own, or an error; after Close too. Ownership: it
// shares the listener until then. Errors: to the listener.
//
//   auto dial = std::make_shared<Dial>(&caretaker, outbound, address, dialer);
//   caretaker.Add(dial);
//   dial->Start();

#ifndef CLUSTER_TRANSPORT_NNG_DIAL_H_
#define CLUSTER_TRANSPORT_NNG_DIAL_H_

#include <memory>

#include "absl/status/statusor.h"
#include "cluster/transport/address.h"
#include "cluster/transport/nng/async_handle.h"

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
  // Takes the dialer; it may be closed from any thread from here on.
  Dial(Caretaker* caretaker, std::shared_ptr<DialListener> listener,
       Address address, nng_stream_dialer* dialer);

  void Start();

 private:
  static void OnDone(void* self);
  void Finish();
  void CloseHandles() override;
  void FreeHandles() override;

  const std::shared_ptr<DialListener> listener_;
  const Address address_;
  nng_stream_dialer* const dialer_;
  nng_aio* const aio_;
};

}  // namespace nng
}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_NNG_DIAL_H_
