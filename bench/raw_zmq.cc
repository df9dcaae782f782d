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

// A socket, in a context of its own or in that of another, which goes later.
class Endpoint {
 public:
  Endpoint(int type, std::size_t message_bytes)
      : Endpoint(zmq_ctx_new(), type, message_bytes) {
    own_context_ = true;
  }
  Endpoint(const Endpoint& neighbour, int type, std::size_t message_bytes)
      : Endpoint(neighbour.context_, type, message_bytes) {}
  ~Endpoint() {
    zmq_close(socket_);
    if (own_context_) zmq_ctx_term(context_);
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
  Endpoint(void* context, int type, std::size_t message_bytes)
      : context_(context), socket_(zmq_socket(context, type)) {
    CLUSTER_CHECK(socket_ != nullptr, zmq_strerror(zmq_errno()));
    const int queue = RawQueueLength(message_bytes, kQueueLengthMax);
    SetOption(socket_, ZMQ_SNDHWM, queue);
    SetOption(socket_, ZMQ_RCVHWM, queue);
    SetOption(socket_, ZMQ_LINGER, 0);
  }

  void* const context_;
  void* const socket_;
  bool own_context_ = false;
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

void RoundTripOf(std::size_t message_bytes, Endpoint* out, Endpoint* in) {
  zmq_msg_t message;
  zmq_msg_init_size(&message, message_bytes);
  out->Send(&message);
  CLUSTER_CHECK(in->Receive(&message), zmq_strerror(zmq_errno()));
  zmq_msg_close(&message);
}

void EchoAll(Endpoint* in, Endpoint* out) {
  zmq_msg_t message;
  zmq_msg_init(&message);
  while (in->Receive(&message)) out->Send(&message);
  zmq_msg_close(&message);
}

class ZmqEcho : public RawEcho {
 public:
  explicit ZmqEcho(std::size_t message_bytes)
      : message_bytes_(message_bytes),
        near_(ZMQ_PAIR, message_bytes),
        far_(ZMQ_PAIR, message_bytes) {
    far_.Bind(Scheme::kTcp);
    near_.Dial(far_);
    thread_ = std::thread([this] { EchoAll(&far_, &far_); });
  }
  ~ZmqEcho() override {
    far_.Shutdown();
    thread_.join();
  }

  void RoundTrip() override { RoundTripOf(message_bytes_, &near_, &near_); }

 private:
  const std::size_t message_bytes_;
  Endpoint near_;
  Endpoint far_;
  std::thread thread_;
};

// By two connections of which each carries one way, as between servers that
// all dial each other.
class ZmqOneWayEcho : public RawEcho {
 public:
  explicit ZmqOneWayEcho(std::size_t message_bytes)
      : message_bytes_(message_bytes),
        near_push_(ZMQ_PUSH, message_bytes),
        near_pull_(near_push_, ZMQ_PULL, message_bytes),
        far_push_(ZMQ_PUSH, message_bytes),
        far_pull_(far_push_, ZMQ_PULL, message_bytes) {
    near_pull_.Bind(Scheme::kTcp);
    far_pull_.Bind(Scheme::kTcp);
    near_push_.Dial(far_pull_);
    far_push_.Dial(near_pull_);
    thread_ = std::thread([this] { EchoAll(&far_pull_, &far_push_); });
  }
  ~ZmqOneWayEcho() override {
    far_pull_.Shutdown();
    thread_.join();
  }

  void RoundTrip() override {
    RoundTripOf(message_bytes_, &near_push_, &near_pull_);
  }

 private:
  const std::size_t message_bytes_;
  Endpoint near_push_;
  Endpoint near_pull_;
  Endpoint far_push_;
  Endpoint far_pull_;
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

std::unique_ptr<RawEcho> NewZmqOneWayEcho(std::size_t message_bytes) {
  return std::make_unique<ZmqOneWayEcho>(message_bytes);
}

}  // namespace bench
}  // namespace cluster
