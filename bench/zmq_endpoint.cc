#include "bench/zmq_endpoint.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "cluster/base/check.h"

namespace cluster {
namespace bench {
namespace {

constexpr int kQueueLengthMax = 100000;
constexpr int kSocketsMax = 8192;

void Check(bool ok) { CLUSTER_CHECK(ok, zmq_strerror(zmq_errno())); }

void SetOption(void* socket, int option, int value) {
  Check(zmq_setsockopt(socket, option, &value, sizeof(value)) == 0);
}

void* NewSocket(void* context, int type) {
  // Has no effect once the context has sockets.
  zmq_ctx_set(context, ZMQ_MAX_SOCKETS, kSocketsMax);
  return zmq_socket(context, type);
}

}  // namespace

ZmqEndpoint::ZmqEndpoint(void* context, int type, std::size_t message_bytes)
    : context_(context), socket_(NewSocket(context, type)) {
  Check(socket_ != nullptr);
  const int queue = RawQueueLength(message_bytes, kQueueLengthMax);
  SetOption(socket_, ZMQ_SNDHWM, queue);
  SetOption(socket_, ZMQ_RCVHWM, queue);
  SetOption(socket_, ZMQ_LINGER, 0);
}

ZmqEndpoint::~ZmqEndpoint() {
  zmq_close(socket_);
  if (own_context_) zmq_ctx_term(context_);
}

void ZmqEndpoint::Bind(Scheme scheme) {
  const std::string address = scheme == Scheme::kTcp
                                  ? "tcp://127.0.0.1:*"
                                  : absl::StrCat("ipc://", NewIpcPath());
  Check(zmq_bind(socket_, address.c_str()) == 0);
}

void ZmqEndpoint::Dial(const ZmqEndpoint& other) {
  char address[256];
  std::size_t bytes = sizeof(address);
  Check(zmq_getsockopt(other.socket_, ZMQ_LAST_ENDPOINT, address, &bytes) == 0);
  Check(zmq_connect(socket_, address) == 0);
}

void ZmqEndpoint::Send(zmq_msg_t* message) {
  Check(zmq_msg_send(message, socket_, 0) >= 0);
}

bool ZmqEndpoint::Receive(zmq_msg_t* message) {
  return zmq_msg_recv(message, socket_, 0) >= 0;
}

void ZmqEndpoint::ReceiveAll(
    const std::function<void(absl::string_view)>& receive) {
  zmq_msg_t message;
  zmq_msg_init(&message);
  while (Receive(&message)) {
    receive({static_cast<const char*>(zmq_msg_data(&message)),
             zmq_msg_size(&message)});
  }
  zmq_msg_close(&message);
}

}  // namespace bench
}  // namespace cluster
