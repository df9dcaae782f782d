#include "bench/raw_mesh.h"

#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/nng_endpoint.h"
#include "bench/raw_tcp.h"
#include "bench/zmq_endpoint.h"

namespace cluster {
namespace bench {
namespace {

// Queues hold this many messages of the greatest size, so that the queues of a
// thousand connections find room.
constexpr std::size_t kShare = 8;

class Zmq {
 public:
  using Endpoint = ZmqEndpoint;
  using Message = zmq_msg_t;

  explicit Zmq(std::size_t message_bytes)
      : first_(ZMQ_PULL, message_bytes), message_bytes_(message_bytes) {}

  std::unique_ptr<Endpoint> NewPull() {
    return std::make_unique<Endpoint>(first_, ZMQ_PULL, message_bytes_);
  }
  std::unique_ptr<Endpoint> NewPush() {
    return std::make_unique<Endpoint>(first_, ZMQ_PUSH, message_bytes_);
  }
  static char* Begin(std::size_t bytes, Message* message) {
    zmq_msg_init_size(message, bytes);
    return static_cast<char*>(zmq_msg_data(message));
  }
  static void Send(Endpoint* push, Message* message) { push->Send(message); }
  void EndReceiving(Endpoint* /*pull*/) { first_.Shutdown(); }

 private:
  Endpoint first_;  // owns the context
  const std::size_t message_bytes_;
};

class Nng {
 public:
  using Endpoint = NngEndpoint;
  using Message = nng_msg*;

  explicit Nng(std::size_t message_bytes) : message_bytes_(message_bytes) {}

  std::unique_ptr<Endpoint> NewPull() {
    return std::make_unique<Endpoint>(&nng_pull0_open, message_bytes_);
  }
  std::unique_ptr<Endpoint> NewPush() {
    return std::make_unique<Endpoint>(&nng_push0_open, message_bytes_);
  }
  static char* Begin(std::size_t bytes, Message* message) {
    *message = NewNngMessage(bytes);
    return static_cast<char*>(nng_msg_body(*message));
  }
  static void Send(Endpoint* push, Message* message) { push->Send(*message); }
  void EndReceiving(Endpoint* pull) { pull->Close(); }

 private:
  const std::size_t message_bytes_;
};

class Tcp {
 public:
  using Endpoint = TcpEndpoint;
  using Message = std::string;

  explicit Tcp(std::size_t /*message_bytes*/) {}

  std::unique_ptr<Endpoint> NewPull() { return std::make_unique<Endpoint>(); }
  std::unique_ptr<Endpoint> NewPush() { return std::make_unique<Endpoint>(); }
  static char* Begin(std::size_t bytes, Message* message) {
    message->resize(bytes);
    return &(*message)[0];
  }
  static void Send(Endpoint* push, Message* message) { push->Send(*message); }
  void EndReceiving(Endpoint* pull) { pull->Close(); }
};

template <typename Library>
class Mesh : public RawMesh {
 public:
  Mesh(int servers, std::size_t message_bytes, RawReceiver receiver)
      : receiver_(std::move(receiver)),
        servers_(static_cast<std::size_t>(servers)),
        library_(kShare * message_bytes),
        messages_(servers_ * servers_) {
    for (std::size_t to = 0; to < servers_; ++to) {
      pulls_.push_back(library_.NewPull());
      pulls_.back()->Bind(Scheme::kTcp);
    }
    for (std::size_t connection = 0; connection < messages_.size();
         ++connection) {
      pushes_.push_back(nullptr);
      if (connection / servers_ == connection % servers_) continue;
      pushes_.back() = library_.NewPush();
      pushes_.back()->Dial(*pulls_[connection % servers_]);
    }
    for (std::size_t to = 0; to < servers_; ++to) {
      threads_.emplace_back([this, to] {
        pulls_[to]->ReceiveAll([this, to](absl::string_view message) {
          receiver_(static_cast<int>(to), message);
        });
      });
    }
  }
  ~Mesh() override {
    for (auto& pull : pulls_) library_.EndReceiving(pull.get());
    for (std::thread& thread : threads_) thread.join();
  }

  char* Begin(int from, int to, std::size_t bytes) override {
    return Library::Begin(bytes, &messages_[Connection(from, to)]);
  }
  void Commit(int from, int to) override {
    const std::size_t connection = Connection(from, to);
    Library::Send(pushes_[connection].get(), &messages_[connection]);
  }

 private:
  std::size_t Connection(int from, int to) const {
    return static_cast<std::size_t>(from) * servers_ +
           static_cast<std::size_t>(to);
  }

  const RawReceiver receiver_;
  const std::size_t servers_;
  Library library_;
  std::vector<std::unique_ptr<typename Library::Endpoint>> pulls_;
  std::vector<std::unique_ptr<typename Library::Endpoint>> pushes_;
  std::vector<typename Library::Message> messages_;
  std::vector<std::thread> threads_;
};

}  // namespace

std::unique_ptr<RawMesh> NewRawMesh(absl::string_view transport, int servers,
                                    std::size_t message_bytes,
                                    RawReceiver receiver) {
  if (transport == "zmq") {
    return std::make_unique<Mesh<Zmq>>(servers, message_bytes,
                                       std::move(receiver));
  }
  if (transport == "tcp") {
    return std::make_unique<Mesh<Tcp>>(servers, message_bytes,
                                       std::move(receiver));
  }
  return std::make_unique<Mesh<Nng>>(servers, message_bytes,
                                     std::move(receiver));
}

}  // namespace bench
}  // namespace cluster
