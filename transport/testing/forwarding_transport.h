// ForwardingTransport: a transport around another one that passes everything
// on, in both directions.
//
// The base of transports that change one thing (lose frames, watch them, claim
// an identity): override just that. It owns the inner transport. A class that
// overrides a callback must stop in its own destructor, while its members still
// exist.
//
//   class Counting final : public ForwardingTransport {
//    public:
//     using ForwardingTransport::ForwardingTransport;
//     SendResult Send(int peer, const Frame& frame) override {
//       ++sent_;
//       return inner()->Send(peer, frame);
//     }
//     ...

#ifndef CLUSTER_TRANSPORT_TESTING_FORWARDING_TRANSPORT_H_
#define CLUSTER_TRANSPORT_TESTING_FORWARDING_TRANSPORT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cluster/transport/transport.h"

namespace cluster {

class ForwardingTransport : public Transport, protected TransportHandler {
 public:
  explicit ForwardingTransport(std::unique_ptr<Transport> inner)
      : inner_(std::move(inner)) {}

  absl::Status Start(TransportHandler* handler,
                     const std::string& local_address) override {
    handler_ = handler;
    return inner_->Start(this, local_address);
  }
  std::string Address() const override { return inner_->Address(); }
  absl::Status Connect(int peer, const std::string& address,
                       std::uint64_t generation) override {
    return inner_->Connect(peer, address, generation);
  }
  void Disconnect(int peer) override { inner_->Disconnect(peer); }
  SendResult Send(int peer, const Frame& frame) override {
    return inner_->Send(peer, frame);
  }
  absl::Status ReloadSecurity(const SecurityFiles& files) override {
    return inner_->ReloadSecurity(files);
  }
  std::vector<PinnedCertificate> Certificates() const override {
    return inner_->Certificates();
  }
  void Stop(absl::Duration linger) override { inner_->Stop(linger); }

 protected:
  FrameVerdict OnFrame(ReceivedFrame frame) override {
    return handler_->OnFrame(std::move(frame));
  }
  void OnDrained() override { handler_->OnDrained(); }
  void OnWritable(int peer) override { handler_->OnWritable(peer); }
  void OnConnected(int peer, std::uint64_t generation) override {
    handler_->OnConnected(peer, generation);
  }
  void OnDisconnected(int peer, std::uint64_t generation,
                      absl::string_view reason) override {
    handler_->OnDisconnected(peer, generation, reason);
  }
  void OnRefused(int peer, std::uint64_t generation) override {
    handler_->OnRefused(peer, generation);
  }
  void OnRejected(Rejection rejection) override {
    handler_->OnRejected(std::move(rejection));
  }

  Transport* inner() const { return inner_.get(); }
  TransportHandler* handler() const { return handler_; }

 private:
  const std::unique_ptr<Transport> inner_;
  TransportHandler* handler_ = nullptr;
};

}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_TESTING_FORWARDING_TRANSPORT_H_
