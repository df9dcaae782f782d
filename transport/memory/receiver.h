// Receiver: the two threads of a memory transport that call its handler.
//
// What it is: one thread takes jobs from the port and calls the handler; the
// other relieves it when an OnDrained is long. What it is not: in charge of
// connections.
//
// Threads: started and stopped on any thread, not in a callback. Ownership: the
// handler is borrowed until Stop has returned. Errors: of Start.
//
//   Receiver receiver(port, &handler);
//   absl::Status status = receiver.Start();
//   receiver.Stop();   // closes the port; no call of the handler from now on

#ifndef CLUSTER_TRANSPORT_MEMORY_RECEIVER_H_
#define CLUSTER_TRANSPORT_MEMORY_RECEIVER_H_

#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "cluster/transport/memory/port.h"
#include "cluster/transport/relief.h"
#include "cluster/transport/transport.h"

namespace cluster {
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
  void Loop();
  bool ReceiveUntilDrained();
  void Handle(const Job& job);
  void Deliver(const Job& job);

  const std::shared_ptr<Port> port_;
  TransportHandler* const handler_;
  Relief relief_;
  std::vector<std::thread> threads_;
};

}  // namespace memory
}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_MEMORY_RECEIVER_H_
