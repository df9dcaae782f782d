// Receiver: the two threads of a memory transport that call its handler.
//
// What it is: one thread takes jobs from the port and calls the handler; the
// other relieves it when an OnDrained is long. What it is not: in charge of
// connections.
//
// Threads: made and stopped on any thread, not in a callback. Ownership: the
// handler is borrowed until Stop has returned. Errors: none.
//
//   Receiver receiver(port, &handler);
//   receiver.Stop();   // closes the port; no call of the handler from now on

#ifndef TRANSPORT_MEMORY_RECEIVER_H_
#define TRANSPORT_MEMORY_RECEIVER_H_

#include <memory>
#include <thread>
#include <vector>

#include "transport/memory/port.h"
#include "transport/relief.h"
#include "transport/transport.h"

namespace cluster {
namespace memory {

class Receiver {
 public:
  Receiver(std::shared_ptr<Port> port, TransportHandler* handler);
  ~Receiver() { Stop(); }

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

#endif  // TRANSPORT_MEMORY_RECEIVER_H_
