#include "bench/raw_nng.h"

#include <arpa/inet.h>
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "transport/check.h"

namespace cluster {
namespace bench {
namespace {

constexpr int kQueueLengthMax = 8192;

void Check(int result) { CLUSTER_CHECK(result == 0, nng_strerror(result)); }

class Endpoint {
 public:
  explicit Endpoint(std::size_t message_bytes) {
    Check(nng_pair0_open(&socket_));
    const int queue = RawQueueLength(message_bytes, kQueueLengthMax);
    Check(nng_socket_set_int(socket_, NNG_OPT_SENDBUF, queue));
    Check(nng_socket_set_int(socket_, NNG_OPT_RECVBUF, queue));
    Check(nng_socket_set_size(socket_, NNG_OPT_RECVMAXSZ, 0));
  }
  ~Endpoint() { Close(); }
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  void Bind(Scheme scheme) {
    address_ = scheme == Scheme::kTcp ? "tcp://127.0.0.1:0"
                                      : absl::StrCat("ipc://", NewIpcPath());
    nng_listener listener;
    Check(nng_listen(socket_, address_.c_str(), &listener, 0));
    if (scheme == Scheme::kIpc) return;
    nng_sockaddr bound;
    Check(nng_listener_get_addr(listener, NNG_OPT_LOCADDR, &bound));
    address_ = absl::StrCat("tcp://127.0.0.1:", ntohs(bound.s_in.sa_port));
  }
  // Waits for the connection.
  void Dial(const Endpoint& other) {
    Check(nng_dial(socket_, other.address_.c_str(), nullptr, 0));
  }

  void Send(nng_msg* message) { Check(nng_sendmsg(socket_, message, 0)); }
  // Null once Close was called.
  nng_msg* Receive() {
    nng_msg* message = nullptr;
    return nng_recvmsg(socket_, &message, 0) == 0 ? message : nullptr;
  }
  // Ends a Receive on another thread; a second call does nothing.
  void Close() { nng_close(socket_); }

 private:
  nng_socket socket_;
  std::string address_;
};

class NngFanout : public RawFanout {
 public:
  NngFanout(Scheme scheme, int links, std::size_t message_bytes,
            RawReceiver receiver)
      : receiver_(std::move(receiver)) {
    for (int link = 0; link < links; ++link) {
      receivers_.push_back(std::make_unique<Endpoint>(message_bytes));
      receivers_.back()->Bind(scheme);
      senders_.push_back(std::make_unique<Endpoint>(message_bytes));
      senders_.back()->Dial(*receivers_.back());
    }
    for (int link = 0; link < links; ++link) {
      threads_.emplace_back([this, link] { Receive(link); });
    }
  }
  ~NngFanout() override {
    for (auto& receiver : receivers_) receiver->Close();
    for (std::thread& thread : threads_) thread.join();
  }

  char* Begin(std::size_t bytes) override {
    Check(nng_msg_alloc(&message_, bytes));
    return static_cast<char*>(nng_msg_body(message_));
  }

  void Commit() override {
    for (std::size_t link = 0; link + 1 < senders_.size(); ++link) {
      nng_msg* copy = nullptr;
      Check(nng_msg_dup(&copy, message_));
      senders_[link]->Send(copy);
    }
    senders_.back()->Send(message_);
  }

 private:
  void Receive(int link) {
    Endpoint& endpoint = *receivers_[static_cast<std::size_t>(link)];
    while (nng_msg* const message = endpoint.Receive()) {
      receiver_(link, {static_cast<const char*>(nng_msg_body(message)),
                       nng_msg_len(message)});
      nng_msg_free(message);
    }
  }

  const RawReceiver receiver_;
  std::vector<std::unique_ptr<Endpoint>> receivers_;
  std::vector<std::unique_ptr<Endpoint>> senders_;
  std::vector<std::thread> threads_;
  nng_msg* message_ = nullptr;
};

class NngEcho : public RawEcho {
 public:
  explicit NngEcho(std::size_t message_bytes)
      : message_bytes_(message_bytes),
        near_(message_bytes),
        far_(message_bytes) {
    far_.Bind(Scheme::kTcp);
    near_.Dial(far_);
    thread_ = std::thread([this] {
      while (nng_msg* const message = far_.Receive()) far_.Send(message);
    });
  }
  ~NngEcho() override {
    far_.Close();
    thread_.join();
  }

  void RoundTrip() override {
    nng_msg* message = nullptr;
    Check(nng_msg_alloc(&message, message_bytes_));
    near_.Send(message);
    message = near_.Receive();
    CLUSTER_CHECK(message != nullptr, "the echo ended");
    nng_msg_free(message);
  }

 private:
  const std::size_t message_bytes_;
  Endpoint near_;
  Endpoint far_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<RawFanout> NewNngFanout(Scheme scheme, int links,
                                        std::size_t message_bytes,
                                        RawReceiver receiver) {
  return std::make_unique<NngFanout>(scheme, links, message_bytes,
                                     std::move(receiver));
}

std::unique_ptr<RawEcho> NewNngEcho(std::size_t message_bytes) {
  return std::make_unique<NngEcho>(message_bytes);
}

}  // namespace bench
}  // namespace cluster
