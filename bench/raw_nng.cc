#include "bench/raw_nng.h"

#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/nng_endpoint.h"
#include "cluster/base/check.h"

namespace cluster {
namespace bench {
namespace {

class NngFanout : public RawFanout {
 public:
  NngFanout(Scheme scheme, int connections, std::size_t message_bytes,
            RawReceiver receiver)
      : receiver_(std::move(receiver)) {
    for (int connection = 0; connection < connections; ++connection) {
      receivers_.push_back(
          std::make_unique<NngEndpoint>(&nng_pair0_open, message_bytes));
      receivers_.back()->Bind(scheme);
      senders_.push_back(
          std::make_unique<NngEndpoint>(&nng_pair0_open, message_bytes));
      senders_.back()->Dial(*receivers_.back());
    }
    for (int connection = 0; connection < connections; ++connection) {
      threads_.emplace_back([this, connection] { Receive(connection); });
    }
  }
  ~NngFanout() override {
    for (auto& receiver : receivers_) receiver->Close();
    for (std::thread& thread : threads_) thread.join();
  }

  char* Begin(std::size_t bytes) override {
    message_ = NewNngMessage(bytes);
    return static_cast<char*>(nng_msg_body(message_));
  }

  void Commit() override {
    for (std::size_t connection = 0; connection + 1 < senders_.size();
         ++connection) {
      nng_msg* copy = nullptr;
      CLUSTER_CHECK(nng_msg_dup(&copy, message_) == 0, "out of memory");
      senders_[connection]->Send(copy);
    }
    senders_.back()->Send(message_);
  }

  void CommitTo(int connection) override {
    senders_[static_cast<std::size_t>(connection)]->Send(message_);
  }

 private:
  void Receive(int connection) {
    receivers_[static_cast<std::size_t>(connection)]->ReceiveAll(
        [this, connection](absl::string_view message) {
          receiver_(connection, message);
        });
  }

  const RawReceiver receiver_;
  std::vector<std::unique_ptr<NngEndpoint>> receivers_;
  std::vector<std::unique_ptr<NngEndpoint>> senders_;
  std::vector<std::thread> threads_;
  nng_msg* message_ = nullptr;
};

class NngEcho : public RawEcho {
 public:
  explicit NngEcho(std::size_t message_bytes)
      : message_bytes_(message_bytes),
        near_(&nng_pair0_open, message_bytes),
        far_(&nng_pair0_open, message_bytes) {
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
    near_.Send(NewNngMessage(message_bytes_));
    nng_msg* const message = near_.Receive();
    CLUSTER_CHECK(message != nullptr, "the echo ended");
    nng_msg_free(message);
  }

 private:
  const std::size_t message_bytes_;
  NngEndpoint near_;
  NngEndpoint far_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<RawFanout> NewNngFanout(Scheme scheme, int connections,
                                        std::size_t message_bytes,
                                        RawReceiver receiver) {
  return std::make_unique<NngFanout>(scheme, connections, message_bytes,
                                     std::move(receiver));
}

std::unique_ptr<RawEcho> NewNngEcho(std::size_t message_bytes) {
  return std::make_unique<NngEcho>(message_bytes);
}

}  // namespace bench
}  // namespace cluster
