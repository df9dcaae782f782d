#include "tests/security/forging_transport.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace cluster {
namespace {

class ForgingTransport : public Transport {
 public:
  ForgingTransport(Forgery* forgery, std::unique_ptr<Transport> inner)
      : forgery_(forgery), inner_(std::move(inner)) {}

  absl::Status Start(TransportHandler* handler,
                     const std::string& local_address) override {
    return inner_->Start(handler, local_address);
  }
  std::string Address() const override { return inner_->Address(); }
  absl::Status Connect(int peer, const std::string& address) override {
    return inner_->Connect(peer, address);
  }
  void Disconnect(int peer) override { inner_->Disconnect(peer); }
  SendResult Send(int peer, const Frame& frame) override {
    return inner_->Send(peer, forgery_->Apply(frame));
  }
  absl::Status ReloadSecurity(const SecurityFiles& files) override {
    return inner_->ReloadSecurity(files);
  }
  void Stop(absl::Duration linger) override { inner_->Stop(linger); }

 private:
  Forgery* const forgery_;
  const std::unique_ptr<Transport> inner_;
};

std::string Joined(const Frame& frame) {
  std::string joined;
  for (const Slice& slice : frame.slices) absl::StrAppend(&joined, slice.bytes);
  return joined;
}

}  // namespace

void Forgery::Begin(Forge forge) {
  std::lock_guard<std::mutex> lock(mutex_);
  forge_ = std::move(forge);
}

TransportFactory Forgery::Around(TransportFactory inner) {
  return [this, inner = std::move(inner)](const TransportConfig& config)
             -> absl::StatusOr<std::unique_ptr<Transport>> {
    absl::StatusOr<std::unique_ptr<Transport>> transport = inner(config);
    if (!transport.ok()) return transport.status();
    return std::make_unique<ForgingTransport>(this, *std::move(transport));
  };
}

Frame Forgery::Apply(const Frame& frame) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (forge_ == nullptr) return frame;
  const std::string joined = Joined(frame);
  FrameHeader header;
  absl::string_view view;
  if (DecodeFrame(joined, &header, &view) != FrameError::kNone) return frame;
  std::string body(view);
  forge_(&header, &body);
  header.body_bytes = static_cast<std::uint32_t>(body.size());
  header.body_crc = Crc32c(body);
  std::string forged(kFrameHeaderBytes, '\0');
  EncodeFrameHeader(header, &forged[0]);
  return Frame{{MakeSlice(absl::StrCat(forged, body))}};
}

}  // namespace cluster
