#include "tests/security/forging_transport.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/transport/testing/forwarding_transport.h"

namespace cluster::internal {
namespace {

class ForgingTransport final : public ForwardingTransport {
 public:
  ForgingTransport(Forgery* forgery, std::unique_ptr<Transport> around)
      : ForwardingTransport(std::move(around)), forgery_(forgery) {}

  SendResult Send(int peer, const Frame& frame) override {
    return inner()->Send(peer, forgery_->Apply(frame));
  }

 private:
  Forgery* const forgery_;
};

std::string Joined(const Frame& frame) {
  std::string joined;
  for (const Slice& slice : frame.slices) absl::StrAppend(&joined, slice.bytes);
  return joined;
}

}  // namespace

void Forgery::Begin(Forge forge) {
  MutexLock lock(&mutex_);
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
  MutexLock lock(&mutex_);
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

}  // namespace cluster::internal
