// Acceptor: the bound address, and the loop that accepts connections on it.
//
// It survives every error of accept, and tries again after a short pause, since
// an error like "no more files" stays for a while.
//
// Threads: `accepted` is called on nng's threads, one call at a time, and owns
// the stream from then on. Ownership: shared by the caretaker; what `accepted`
// uses must outlive it. Errors: of binding, by Open.
//
//   auto acceptor = Acceptor::Open(&caretaker, address, accepted);
//   caretaker.Add(*acceptor);
//   (*acceptor)->Start();

#ifndef CLUSTER_TRANSPORT_NNG_ACCEPTOR_H_
#define CLUSTER_TRANSPORT_NNG_ACCEPTOR_H_

#include <nng/nng.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"
#include "cluster/transport/address.h"
#include "cluster/transport/nng/async_handle.h"

namespace cluster {
namespace nng {

class Acceptor final : public AsyncHandle {
 public:
  using Accepted = std::function<void(nng_stream* stream)>;

  static absl::StatusOr<std::shared_ptr<Acceptor>> Open(Caretaker* caretaker,
                                                        const Address& address,
                                                        Accepted accepted);

  Acceptor(Caretaker* caretaker, nng_stream_listener* listener,
           std::string bound_address, Accepted accepted);

  void Start();  // once

  const std::string& bound_address() const { return bound_address_; }

 private:
  static void OnAccept(void* self);
  void TakeAccept();
  void Accept();

  Clock::time_point TendOpen(Clock::time_point now) override;
  void CloseHandles() override;
  void FreeHandles() override;

  nng_stream_listener* const listener_;
  const std::string bound_address_;
  const Accepted accepted_;
  nng_aio* const aio_;
  std::mutex mutex_;
  absl::optional<Clock::time_point> again_at_;  // guarded by mutex_
};

}  // namespace nng
}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_NNG_ACCEPTOR_H_
