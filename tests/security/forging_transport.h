// ForgingTransport: a member that lies about its identity.
//
// A decorator around a backend that changes sent frames, header or body, and
// corrects their checksums. So a real server, with keys and sessions, becomes
// an impostor from one frame to the next. Its connections are the backend's,
// and honest. `forge` runs on any thread.
//
//   Forgery forgery;
//   spec.make_server = [&](int id, const Config& config) {
//     return NewServer(id, config, forgery.Around(NewZmqTransport));
//   };
//   forgery.Begin([](FrameHeader* header, std::string*) {
//     header->sender_id = 2;
//   });

#ifndef TESTS_SECURITY_FORGING_TRANSPORT_H_
#define TESTS_SECURITY_FORGING_TRANSPORT_H_

#include <functional>
#include <memory>
#include <string>

#include "cluster/base/mutex.h"
#include "cluster/codec/frame_header.h"
#include "cluster/transport/transport.h"

namespace cluster::internal {

class Forgery {
 public:
  using Forge = std::function<void(FrameHeader* header, std::string* body)>;

  // Changes every frame from now on, until End.
  void Begin(Forge forge);
  void End() { Begin(nullptr); }

  // A factory of transports with these forgeries. Borrows this object.
  TransportFactory Around(TransportFactory inner);

  // For the transport: returns the frame to send instead.
  Frame Apply(const Frame& frame);

 private:
  Mutex mutex_;
  Forge forge_;
};

}  // namespace cluster::internal

#endif  // TESTS_SECURITY_FORGING_TRANSPORT_H_
