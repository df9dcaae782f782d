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
  NngFanout(Scheme scheme, int links, std::size_t message_bytes,
            RawReceiver receiver)
      : receiver_(std::move(receiver)) {
    for (int link = 0; link < links; ++link) {
      receivers_.push_back(
          std::make_unique<NngEndpoint>(&nng_pair0_open, message_bytes));
      receivers_.back()->Bind(scheme);
      senders_.push_back(
          std::make_unique<NngEndpoint>(&nng_pair0_open, message_bytes));
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
    message_ = NewNngMessage(bytes);
    return static_cast<char*>(nng_msg_body(message_));
  }

  void Commit() override {
    for (std::size_t link = 0; link + 1 < senders_.size(); ++link) {
      nng_msg* copy = nullptr;
      CLUSTER_CHECK(nng_msg_dup(&copy, message_) == 0, "out of memory");
      senders_[link]->Send(copy);
    }
    senders_.back()->Send(message_);
  }

  void CommitTo(int link) override {
    senders_[static_cast<std::size_t>(link)]->Send(message_);
  }

 private:
  void Receive(int link) {
    receivers_[static_cast<std::size_t>(link)]->ReceiveAll(
        [this, link](absl::string_view message) { receiver_(link, message); });
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
