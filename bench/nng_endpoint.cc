#include "bench/nng_endpoint.h"

#include <arpa/inet.h>

#include "absl/strings/str_cat.h"
#include "cluster/base/check.h"

namespace cluster {
namespace bench {
namespace {

constexpr int kQueueLengthMax = 8192;

void Check(int result) { CLUSTER_CHECK(result == 0, nng_strerror(result)); }

// Not every protocol has every queue.
void SetQueue(nng_socket socket, const char* option, int length) {
  const int result = nng_socket_set_int(socket, option, length);
  if (result != NNG_ENOTSUP) Check(result);
}

}  // namespace

NngEndpoint::NngEndpoint(int (*open)(nng_socket*), std::size_t message_bytes) {
  Check(open(&socket_));
  const int queue = RawQueueLength(message_bytes, kQueueLengthMax);
  SetQueue(socket_, NNG_OPT_SENDBUF, queue);
  SetQueue(socket_, NNG_OPT_RECVBUF, queue);
  Check(nng_socket_set_size(socket_, NNG_OPT_RECVMAXSZ, 0));
}

void NngEndpoint::Bind(Scheme scheme) {
  address_ = scheme == Scheme::kTcp ? "tcp://127.0.0.1:0"
                                    : absl::StrCat("ipc://", NewIpcPath());
  nng_listener listener;
  Check(nng_listen(socket_, address_.c_str(), &listener, 0));
  if (scheme == Scheme::kIpc) return;
  nng_sockaddr bound;
  Check(nng_listener_get_addr(listener, NNG_OPT_LOCADDR, &bound));
  address_ = absl::StrCat("tcp://127.0.0.1:", ntohs(bound.s_in.sa_port));
}

void NngEndpoint::Dial(const NngEndpoint& other) {
  Check(nng_dial(socket_, other.address_.c_str(), nullptr, 0));
}

void NngEndpoint::Send(nng_msg* message) {
  Check(nng_sendmsg(socket_, message, 0));
}

nng_msg* NngEndpoint::Receive() {
  nng_msg* message = nullptr;
  return nng_recvmsg(socket_, &message, 0) == 0 ? message : nullptr;
}

void NngEndpoint::ReceiveAll(
    const std::function<void(absl::string_view)>& receive) {
  while (nng_msg* const message = Receive()) {
    receive({static_cast<const char*>(nng_msg_body(message)),
             nng_msg_len(message)});
    nng_msg_free(message);
  }
}

nng_msg* NewNngMessage(std::size_t bytes) {
  nng_msg* message = nullptr;
  Check(nng_msg_alloc(&message, bytes));
  return message;
}

}  // namespace bench
}  // namespace cluster
