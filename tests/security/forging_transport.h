// ForgingTransport: a member that lies about its identity.
//
// A decorator around a backend that changes frames as they are sent, header or
// body, and corrects their checksums. So a real server, with keys and sessions,
// becomes an impostor from one frame to the next. Its connections stay the
// backend's, and honest. `forge` runs on any thread.
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

  // From now on every frame is changed, until End.
  void Begin(Forge forge);
  void End() { Begin(nullptr); }

  // A factory of transports that this forges for. Borrows this.
  TransportFactory Around(TransportFactory inner);

  // Used by the transport: the frame as it is to leave.
  Frame Apply(const Frame& frame);

 private:
  Mutex mutex_;
  Forge forge_;
};

}  // namespace cluster::internal

#endif  // TESTS_SECURITY_FORGING_TRANSPORT_H_
