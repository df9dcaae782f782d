#include "bench/raw_zmq.h"

#include <zmq.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/zmq_endpoint.h"

namespace cluster {
namespace bench {
namespace {

class ZmqFanout : public RawFanout {
 public:
  ZmqFanout(Scheme scheme, int connections, std::size_t message_bytes,
            RawReceiver receiver)
      : receiver_(std::move(receiver)) {
    for (int connection = 0; connection < connections; ++connection) {
      receivers_.push_back(
          std::make_unique<ZmqEndpoint>(ZMQ_PULL, message_bytes));
      receivers_.back()->Bind(scheme);
      senders_.push_back(
          std::make_unique<ZmqEndpoint>(ZMQ_PUSH, message_bytes));
      senders_.back()->Dial(*receivers_.back());
    }
    for (int connection = 0; connection < connections; ++connection) {
      threads_.emplace_back([this, connection] { Receive(connection); });
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
    for (std::size_t connection = 0; connection + 1 < senders_.size();
         ++connection) {
      zmq_msg_t share;
      zmq_msg_init(&share);
      zmq_msg_copy(&share, &message_);
      senders_[connection]->Send(&share);
    }
    senders_.back()->Send(&message_);
  }

  void CommitTo(int connection) override {
    senders_[static_cast<std::size_t>(connection)]->Send(&message_);
  }

 private:
  void Receive(int connection) {
    receivers_[static_cast<std::size_t>(connection)]->ReceiveAll(
        [this, connection](absl::string_view message) {
          receiver_(connection, message);
        });
  }

  const RawReceiver receiver_;
  std::vector<std::unique_ptr<ZmqEndpoint>> receivers_;
  std::vector<std::unique_ptr<ZmqEndpoint>> senders_;
  std::vector<std::thread> threads_;
  zmq_msg_t message_;
};

}  // namespace

std::unique_ptr<RawFanout> NewZmqFanout(Scheme scheme, int connections,
                                        std::size_t message_bytes,
                                        RawReceiver receiver) {
  return std::make_unique<ZmqFanout>(scheme, connections, message_bytes,
                                     std::move(receiver));
}

}  // namespace bench
}  // namespace cluster
