// Receiver: takes jobs from a memory transport's port and calls its handler.
//
// Start and stop it on any thread, not in a callback. The handler is borrowed
// until Stop has returned.
//
//   Receiver receiver(port, &handler);
//   absl::Status status = receiver.Start();
//   receiver.Stop();   // closes the port; no call of the handler from now on

#ifndef CLUSTER_TRANSPORT_MEMORY_RECEIVER_H_
#define CLUSTER_TRANSPORT_MEMORY_RECEIVER_H_

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "cluster/transport/memory/port.h"
#include "cluster/transport/receive_threads.h"
#include "cluster/transport/transport.h"

namespace cluster::internal {
namespace memory {

class Receiver {
 public:
  Receiver(std::shared_ptr<Port> port, TransportHandler* handler)
      : port_(std::move(port)), handler_(handler) {}
  ~Receiver() { Stop(); }

  // Once. kResourceExhausted: there are no threads to be had; some may run
  // until Stop.
  absl::Status Start();

  // Waits for callbacks that run. Idempotent, but not for two at a time.
  void Stop();

 private:
  bool ReceiveUntilDrained();
  void Handle(const Job& job);
  void Deliver(const Job& job);

  const std::shared_ptr<Port> port_;
  TransportHandler* const handler_;
  ReceiveThreads threads_;
};

}  // namespace memory
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_MEMORY_RECEIVER_H_
