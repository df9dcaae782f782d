#include "cluster/transport/stream/stream_transport.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "cluster/base/check.h"
#include "cluster/base/mutex.h"
#include "cluster/base/start_thread.h"
#include "cluster/transport/address.h"
#include "cluster/transport/stream/admission.h"
#include "cluster/transport/stream/frame_splitter.h"
#include "cluster/transport/stream/inbound.h"
#include "cluster/transport/stream/outbound.h"
#include "cluster/transport/tls_material.h"

namespace cluster::internal {
namespace stream {
namespace {

constexpr std::int64_t kReadBufferBytesLeast = 8 << 10;
static_assert(kReadBufferBytesLeast >= FrameSplitter::kBufferBytesMin, "");

class StreamTransport final : public Transport {
 public:
  // `material`: null for plaintext.
  StreamTransport(const TransportConfig& config, StreamSettings settings,
                  std::shared_ptr<const TlsMaterial> material)
      : config_(config),
        settings_(std::move(settings)),
        admission_(std::move(material)) {}

  ~StreamTransport() override { Stop(absl::ZeroDuration()); }

  absl::Status Start(TransportHandler* handler,
                     const std::string& local_address) override {
    const absl::StatusOr<cluster::Address> address =
        ParseAddress(local_address);
    if (!address.ok()) return address.status();
    const SignalsBlocked blocked;  // the Io may start threads
    MutexLock change_lock(&change_mutex_);
    MutexLock lock(&mutex_);
    if (state_ != State::kNew) {
      return absl::FailedPreconditionError("the transport was started already");
    }
    others_descriptors_ = DescriptorsInUse();
    const absl::Status enough = CheckDescriptors(
        settings_.descriptors, config_.peers, others_descriptors_);
    if (!enough.ok()) return enough;
    if (absl::Status here = settings_.source.CheckIsHere(); !here.ok())
      return here;
    std::unique_ptr<Io> io = settings_.new_io();
    if (absl::Status status = io->Start(handler); !status.ok()) return status;
    std::unique_ptr<Context> context(new Context{
        handler, config_, settings_.options, &admission_, io.get()});
    const absl::Status listening =
        Listen(context.get(), *address, &acceptor_, &address_);
    if (!listening.ok()) return listening;
    io_ = std::move(io);
    context_ = std::move(context);
    state_ = State::kStarted;
    return absl::OkStatus();
  }

  std::string Address() const override {
    MutexLock lock(&mutex_);
    return address_;
  }

  absl::Status Connect(int peer, const std::string& address,
                       std::uint64_t generation) override {
    absl::StatusOr<cluster::Address> parsed = ParseAddress(address);
    if (!parsed.ok()) return parsed.status();
    if (parsed->kind == cluster::Address::Kind::kTcp &&
        (parsed->port == 0 || parsed->host == "*")) {
      return absl::InvalidArgumentError(absl::StrCat(
          "address \"", address, "\": can be listened on, but not dialled"));
    }
    if (!parsed->is_name()) {
      const absl::Status reached = settings_.source.CheckReaches(*parsed);
      if (!reached.ok()) return reached;
    }
    MutexLock lock(&mutex_);
    if (state_ != State::kStarted) {
      return absl::FailedPreconditionError("the transport is not running");
    }
    const auto found = outbounds_.find(peer);
    if (found != outbounds_.end()) {
      found->second->SetAddress(*std::move(parsed), generation);
      return absl::OkStatus();
    }
    if (outbounds_.size() >= config_.peers) {
      const absl::Status enough = CheckDescriptors(
          settings_.descriptors, outbounds_.size() + 1, others_descriptors_);
      if (!enough.ok()) return enough;
    }
    const auto outbound = std::make_shared<Outbound>(
        context_.get(), peer, *std::move(parsed), generation);
    outbounds_.emplace(peer, outbound);
    outbound->Start();
    return absl::OkStatus();
  }

  void Disconnect(int peer) override {
    std::shared_ptr<Outbound> outbound;
    {
      MutexLock lock(&mutex_);
      const auto found = outbounds_.find(peer);
      if (found == outbounds_.end()) return;
      outbound = std::move(found->second);
      outbounds_.erase(found);
    }
    outbound->Part();
  }

  SendResult Send(int peer, const Frame& frame) override {
    CLUSTER_CHECK(frame.size() <= config_.frame_bytes_max,
                  "the frame is over the limit");
    std::shared_ptr<Outbound> outbound;
    {
      MutexLock lock(&mutex_);
      const auto found = outbounds_.find(peer);
      if (found == outbounds_.end()) return SendResult::kSent;
      outbound = found->second;
    }
    return outbound->Send(frame);
  }

  absl::Status ReloadSecurity(const SecurityFiles& files) override {
    if (!admission_.is_secured()) return SecurityNotConfigured();
    // Taken before the files are read: of two calls, the last to read wins.
    MutexLock change_lock(&change_mutex_);
    auto material =
        TlsMaterial::Load(files, config_.cluster, config_.server_id);
    if (!material.ok()) return material.status();
    admission_.Reload(*material);
    std::map<int, std::shared_ptr<Outbound>> outbounds;
    {
      MutexLock lock(&mutex_);
      if (state_ != State::kStarted) return absl::OkStatus();
      outbounds = outbounds_;
    }
    for (const auto& entry : outbounds) entry.second->Reload(**material);
    return absl::OkStatus();
  }

  std::vector<PinnedCertificate> Certificates() const override {
    const auto material = admission_.material();
    return material == nullptr ? std::vector<PinnedCertificate>()
                               : material->Certificates();
  }

  void Stop(absl::Duration linger) override {
    MutexLock change_lock(&change_mutex_);
    std::map<int, std::shared_ptr<Outbound>> outbounds;
    Context* context = nullptr;
    Io* io = nullptr;
    {
      MutexLock lock(&mutex_);
      if (state_ != State::kStarted) return;
      state_ = State::kStopped;
      std::swap(outbounds, outbounds_);
      context = context_.get();
      io = io_.get();
      std::exchange(acceptor_, nullptr)->Close();
    }
    admission_.Stop();

    constexpr absl::Duration kLingerMax = absl::Hours(24);
    const Clock::time_point deadline =
        Clock::now() + absl::ToChronoNanoseconds(std::min(linger, kLingerMax));
    for (const auto& entry : outbounds) entry.second->WaitUntilSent(deadline);
    for (const auto& entry : outbounds) entry.second->Disconnect();
    outbounds.clear();

    context->handles.AwaitNone();
    io->Stop();
  }

 private:
  enum class State { kNew, kStarted, kStopped };

  const TransportConfig config_;
  const StreamSettings settings_;
  Admission admission_;

  // One Start, Stop or ReloadSecurity at a time.
  Mutex change_mutex_{LockRank::kTransportStop};
  mutable Mutex mutex_{LockRank::kTransport};
  State state_ CLUSTER_GUARDED_BY(mutex_) = State::kNew;
  // Descriptors of the process before Start.
  std::size_t others_descriptors_ CLUSTER_GUARDED_BY(mutex_) = 0;
  std::string address_ CLUSTER_GUARDED_BY(mutex_);
  // Both are kept after Stop, since a Send or Disconnect of another thread may
  // still be inside.
  std::unique_ptr<Io> io_ CLUSTER_GUARDED_BY(mutex_);
  std::unique_ptr<Context> context_ CLUSTER_GUARDED_BY(mutex_);
  std::shared_ptr<AsyncHandle> acceptor_ CLUSTER_GUARDED_BY(mutex_);
  // Empty unless started.
  std::map<int, std::shared_ptr<Outbound>> outbounds_
      CLUSTER_GUARDED_BY(mutex_);
};

}  // namespace

Options ReadOptions(OptionReader* reader) {
  Options options;
  options.send_queue_bytes = static_cast<std::size_t>(
      reader->Int("send_queue_bytes", 1 << 20, 4 << 10, 1 << 30));
  options.read_buffer_bytes = static_cast<std::size_t>(reader->Int(
      "read_buffer_bytes", 256 << 10, kReadBufferBytesLeast, 16 << 20));
  return options;
}

absl::StatusOr<std::unique_ptr<Transport>> NewStreamTransport(
    const TransportConfig& config, StreamSettings settings) {
  if (config.frame_bytes_max > kFrameBytesLimit) {
    return absl::InvalidArgumentError(
        absl::StrCat("frame_bytes_max is ", config.frame_bytes_max,
                     "; a length between frames says at most ",
                     kFrameBytesLimit, " bytes, so want no more"));
  }
  std::shared_ptr<const TlsMaterial> material;
  if (config.security) {
    auto loaded =
        TlsMaterial::Load(*config.security, config.cluster, config.server_id);
    if (!loaded.ok()) return loaded.status();
    material = *std::move(loaded);
  }
  return absl::make_unique<StreamTransport>(config, std::move(settings),
                                            std::move(material));
}

}  // namespace stream
}  // namespace cluster::internal
