#include "bench/raw_zmq.h"

#include <zmq.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "transport/check.h"

namespace cluster {
namespace bench {
namespace {

constexpr int kQueueLengthMax = 100000;

void SetOption(void* socket, int option, int value) {
  CLUSTER_CHECK(zmq_setsockopt(socket, option, &value, sizeof(value)) == 0,
                zmq_strerror(zmq_errno()));
}

// A context with one socket in it.
class Endpoint {
 public:
  Endpoint(int type, std::size_t message_bytes) : context_(zmq_ctx_new()) {
    socket_ = zmq_socket(context_, type);
    CLUSTER_CHECK(socket_ != nullptr, zmq_strerror(zmq_errno()));
    const int queue = RawQueueLength(message_bytes, kQueueLengthMax);
    SetOption(socket_, ZMQ_SNDHWM, queue);
    SetOption(socket_, ZMQ_RCVHWM, queue);
    SetOption(socket_, ZMQ_LINGER, 0);
  }
  ~Endpoint() {
    zmq_close(socket_);
    zmq_ctx_term(context_);
  }
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  void Bind(Scheme scheme) {
    const std::string address = scheme == Scheme::kTcp
                                    ? "tcp://127.0.0.1:*"
                                    : absl::StrCat("ipc://", NewIpcPath());
    CLUSTER_CHECK(zmq_bind(socket_, address.c_str()) == 0,
                  zmq_strerror(zmq_errno()));
  }
  void Dial(const Endpoint& other) {
    char address[256];
    std::size_t bytes = sizeof(address);
    CLUSTER_CHECK(
        zmq_getsockopt(other.socket_, ZMQ_LAST_ENDPOINT, address, &bytes) == 0,
        zmq_strerror(zmq_errno()));
    CLUSTER_CHECK(zmq_connect(socket_, address) == 0,
                  zmq_strerror(zmq_errno()));
  }

  void Send(zmq_msg_t* message) {
    CLUSTER_CHECK(zmq_msg_send(message, socket_, 0) >= 0,
                  zmq_strerror(zmq_errno()));
  }
  // False once Shutdown was called.
  bool Receive(zmq_msg_t* message) {
    return zmq_msg_recv(message, socket_, 0) >= 0;
  }
  // Ends a Receive on another thread.
  void Shutdown() { zmq_ctx_shutdown(context_); }

 private:
  void* const context_;
  void* socket_;
};

class ZmqFanout : public RawFanout {
 public:
  ZmqFanout(Scheme scheme, int links, std::size_t message_bytes,
            RawReceiver receiver)
      : receiver_(std::move(receiver)) {
    for (int link = 0; link < links; ++link) {
      receivers_.push_back(std::make_unique<Endpoint>(ZMQ_PULL, message_bytes));
      receivers_.back()->Bind(scheme);
      senders_.push_back(std::make_unique<Endpoint>(ZMQ_PUSH, message_bytes));
      senders_.back()->Dial(*receivers_.back());
    }
    for (int link = 0; link < links; ++link) {
      threads_.emplace_back([this, link] { Receive(link); });
    }
  }
  ~ZmqFanout() override {
    for (auto& receiver : receivers_) receiver->Shutdown();
    for (std::thread& thread : threads_) thread.join();
  }

  char* Begin(std::size_t bytes) override {
    zmq_msg_init_size(&message_, bytes);
    return static_cast<char*>(zmq_msg_data(&message_));
  }

  void Commit() override {
    for (std::size_t link = 0; link + 1 < senders_.size(); ++link) {
      zmq_msg_t share;
      zmq_msg_init(&share);
      zmq_msg_copy(&share, &message_);
      senders_[link]->Send(&share);
    }
    senders_.back()->Send(&message_);
  }

 private:
  void Receive(int link) {
    Endpoint& endpoint = *receivers_[static_cast<std::size_t>(link)];
    zmq_msg_t message;
    zmq_msg_init(&message);
    while (endpoint.Receive(&message)) {
      receiver_(link, {static_cast<const char*>(zmq_msg_data(&message)),
                       zmq_msg_size(&message)});
    }
    zmq_msg_close(&message);
  }

  const RawReceiver receiver_;
  std::vector<std::unique_ptr<Endpoint>> receivers_;
  std::vector<std::unique_ptr<Endpoint>> senders_;
  std::vector<std::thread> threads_;
  zmq_msg_t message_;
};

class ZmqEcho : public RawEcho {
 public:
  explicit ZmqEcho(std::size_t message_bytes)
      : message_bytes_(message_bytes),
        near_(ZMQ_PAIR, message_bytes),
        far_(ZMQ_PAIR, message_bytes) {
    far_.Bind(Scheme::kTcp);
    near_.Dial(far_);
    thread_ = std::thread([this] { Echo(); });
  }
  ~ZmqEcho() override {
    far_.Shutdown();
    thread_.join();
  }

  void RoundTrip() override {
    zmq_msg_t message;
    zmq_msg_init_size(&message, message_bytes_);
    near_.Send(&message);
    CLUSTER_CHECK(near_.Receive(&message), zmq_strerror(zmq_errno()));
    zmq_msg_close(&message);
  }

 private:
  void Echo() {
    zmq_msg_t message;
    zmq_msg_init(&message);
    while (far_.Receive(&message)) far_.Send(&message);
    zmq_msg_close(&message);
  }

  const std::size_t message_bytes_;
  Endpoint near_;
  Endpoint far_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<RawFanout> NewZmqFanout(Scheme scheme, int links,
                                        std::size_t message_bytes,
                                        RawReceiver receiver) {
  return std::make_unique<ZmqFanout>(scheme, links, message_bytes,
                                     std::move(receiver));
}

std::unique_ptr<RawEcho> NewZmqEcho(std::size_t message_bytes) {
  return std::make_unique<ZmqEcho>(message_bytes);
}

}  // namespace bench
}  // namespace cluster
