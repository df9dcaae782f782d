// ZapHandler: decides which connections to accept, by ZeroMQ's authentication
// protocol (ZAP, RFC 27), on a thread of its own.
//
// libzmq asks it at inproc://zeromq.zap.01 of its context about each connection
// that has proved to hold the secret of some public key. The handler finds the
// server with that key and answers its UserId, which libzmq attaches to each
// message of the connection. Without a handler, or an answer, nobody is
// accepted: settings.h sets the sockets up so.
//
//   auto zap = ZapHandler::Start(&context, &key_ring, [&](Rejection r) {...});

#ifndef CLUSTER_TRANSPORT_ZMQ_ZAP_H_
#define CLUSTER_TRANSPORT_ZMQ_ZAP_H_

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cluster/transport/transport.h"
#include "cluster/transport/zmq/curve_keys.h"
#include "zmq.hpp"

namespace cluster::internal {
namespace zmq_backend {

inline constexpr char kZapEndpoint[] = "inproc://zeromq.zap.01";
// The domain of our sockets: with none, libzmq would not ask.
inline constexpr char kZapDomain[] = "cluster";

// The answer to a request, and its reason.
struct ZapVerdict {
  std::string user_id;  // of the accepted peer; "": refused
  std::string reason;   // of a refusal, for people; holds no key

  bool accepted() const { return !user_id.empty(); }
};

// Judges the frames of a request, which may be anything.
ZapVerdict JudgeZapRequest(const CurveKeys& keys,
                           const std::vector<absl::string_view>& request);

// The frames of the reply.
std::vector<std::string> ZapReply(const std::vector<absl::string_view>& request,
                                  const ZapVerdict& verdict);

class ZapHandler {
 public:
  // Borrows all three; its thread calls OnRejected. Answers ZeroMQ's errors,
  // and kResourceExhausted if the process can have no more threads.
  static absl::StatusOr<std::unique_ptr<ZapHandler>> Start(
      zmq::context_t* context, const CurveKeyRing* keys,
      TransportHandler* handler);
  ZapHandler(const ZapHandler&) = delete;
  ZapHandler& operator=(const ZapHandler&) = delete;
  // Answers nobody from then on.
  ~ZapHandler();

 private:
  ZapHandler(zmq::socket_t socket, int stop_fd, const CurveKeyRing* keys,
             TransportHandler* handler);

  void Run();
  void Answer(const std::vector<zmq::message_t>& request);

  zmq::socket_t socket_;
  const int stop_fd_;
  const CurveKeyRing* const keys_;
  TransportHandler* const handler_;
  std::thread thread_;
};

}  // namespace zmq_backend
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_ZMQ_ZAP_H_
