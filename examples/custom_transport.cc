// A transport of your own, given to NewServer as a factory.
//
// This one wraps the memory transport and counts its frames. A transport that
// moves bytes itself has the same seven methods. transport/transport.h states
// the contract of each, and transport/contract tests it.
//
//   bazel run //examples:custom_transport

#include <atomic>
#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include "cluster/server.h"
#include "cluster/transport/memory/memory_transport.h"
#include "cluster/transport/transport.h"

namespace {

std::atomic<int> frames_sent{0};

class CountingTransport : public cluster::Transport {
 public:
  explicit CountingTransport(std::unique_ptr<cluster::Transport> inner)
      : inner_(std::move(inner)) {}

  absl::Status Start(cluster::TransportHandler* handler,
                     const std::string& local_address) override {
    return inner_->Start(handler, local_address);
  }
  std::string Address() const override { return inner_->Address(); }
  absl::Status Connect(int peer, const std::string& address,
                       std::uint64_t generation) override {
    return inner_->Connect(peer, address, generation);
  }
  void Disconnect(int peer) override { inner_->Disconnect(peer); }
  cluster::SendResult Send(int peer, const cluster::Frame& frame) override {
    const cluster::SendResult result = inner_->Send(peer, frame);
    if (result == cluster::SendResult::kSent) ++frames_sent;
    return result;
  }
  absl::Status ReloadSecurity(const cluster::SecurityFiles& files) override {
    return inner_->ReloadSecurity(files);
  }
  void Stop(absl::Duration linger) override { inner_->Stop(linger); }

 private:
  const std::unique_ptr<cluster::Transport> inner_;
};

absl::StatusOr<std::unique_ptr<cluster::Transport>> NewCountingTransport(
    const cluster::TransportConfig& config) {
  auto inner = cluster::NewMemoryTransport(config);
  if (!inner.ok()) return inner.status();
  return std::make_unique<CountingTransport>(*std::move(inner));
}

int Fail(const absl::Status& status) {
  std::cerr << status << "\n";
  return 1;
}

}  // namespace

int main() {
  cluster::Config config;
  config.transport = "counting";  // a name of your choice
  config.servers = {{1, "one"}, {2, "two"}};

  auto one = cluster::NewServer(1, config, NewCountingTransport);
  auto two = cluster::NewServer(2, config, NewCountingTransport);
  if (!one.ok()) return Fail(one.status());
  if (!two.ok()) return Fail(two.status());
  if (absl::Status status = (*one)->Start(); !status.ok()) return Fail(status);
  if (absl::Status status = (*two)->Start(); !status.ok()) return Fail(status);

  cluster::Envelope envelope;
  envelope.pid = 2;
  envelope.payload = "hello";
  if (absl::Status status = (*one)->Send(envelope); !status.ok())
    return Fail(status);
  const absl::StatusOr<cluster::Envelope> received =
      (*two)->Receive(absl::Seconds(30));
  if (!received.ok()) return Fail(received.status());
  std::cout << *received << "\n" << frames_sent << " frames\n";
  return received->payload == "hello" && frames_sent > 0 ? 0 : 1;
}
