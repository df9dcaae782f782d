#include "cluster/transport/nng/nng_transport.h"

#include <algorithm>
#include <atomic>
#include <chrono>
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
#include "cluster/base/descriptors.h"
#include "cluster/base/fork_generation.h"
#include "cluster/base/mutex.h"
#include "cluster/base/start_thread.h"
#include "cluster/transport/address.h"
#include "cluster/transport/nng/endpoint.h"
#include "cluster/transport/nng/inbound.h"
#include "cluster/transport/nng/outbound.h"
#include "cluster/transport/options.h"
#include "cluster/transport/stream/frame_splitter.h"
#include "cluster/transport/tls_material.h"

namespace cluster::internal {
namespace nng {
namespace {

// Fixed: a listener, nng's own, and some for strangers. For each peer: the
// connection to it, the one from it, and one that takes the latter's place.
constexpr DescriptorNeed kDescriptorNeed{/*fixed=*/24, /*per_peer=*/3};

// How long the destructor waits for nng to close descriptors.
constexpr std::chrono::seconds kFreeTime{5};

absl::StatusOr<Options> ReadOptions(const TransportOptions& from) {
  OptionReader reader(from);
  Options options;
  options.send_queue_bytes = static_cast<std::size_t>(
      reader.Int("send_queue_bytes", 1 << 20, 4 << 10, 1 << 30));
  options.read_buffer_bytes = static_cast<std::size_t>(
      reader.Int("read_buffer_bytes", 256 << 10,
                 stream::FrameSplitter::kBufferBytesMin, 16 << 20));
  options.tcp.source = SourceAddress::Read(from, &reader);
  options.tcp.keepalive = reader.Bool("keepalive", options.tcp.keepalive);
  const absl::Status status = reader.Finish();
  if (!status.ok()) return status;
  return options;
}

// nng's threads belong to the process that first used it. In a forked child nng
// aborts (nng 1.5: "nng is not fork-reentrant safe").
absl::Status CheckGeneration() {
  static std::atomic<std::uint64_t> used_in{0};
  std::uint64_t before = 0;
  if (used_in.compare_exchange_strong(before, ForkGeneration()) ||
      before == ForkGeneration()) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      "a server was started over nng in the process that forked this one, and "
      "nng cannot be used in both: fork before the first Start, call exec in "
      "the child, or use \"transport\": \"zmq\"");
}

class NngTransport final : public Transport {
 public:
  // `material`: null for plaintext.
  NngTransport(const TransportConfig& config, const Options& options,
               std::shared_ptr<const TlsMaterial> material)
      : config_(config), options_(options), admission_(std::move(material)) {}

  // nng goes on closing descriptors after Stop, some thousands per second. The
  // next server would count them, so wait. In a forked child nng has no thread
  // to wait for.
  ~NngTransport() override {
    Stop(absl::ZeroDuration());
    if (state_ == State::kStopped && CheckGeneration().ok())
      AwaitReaper(Clock::now() + kFreeTime);
  }

  absl::Status Start(TransportHandler* handler,
                     const std::string& local_address) override {
    const absl::StatusOr<cluster::Address> address =
        ParseAddress(local_address);
    if (!address.ok()) return address.status();
    const SignalsBlocked blocked;  // nng may start its threads here
    MutexLock change_lock(&change_mutex_);
    MutexLock lock(&mutex_);
    if (state_ != State::kNew) {
      return absl::FailedPreconditionError("the transport was started already");
    }
    if (absl::Status status = CheckGeneration(); !status.ok()) return status;
    others_descriptors_ = DescriptorsInUse();
    const absl::Status enough =
        CheckDescriptors(kDescriptorNeed, config_.peers, others_descriptors_);
    if (!enough.ok()) return enough;
    if (absl::Status here = options_.tcp.source.CheckIsHere(); !here.ok())
      return here;
    std::unique_ptr<Context> context(
        new Context{handler, config_, options_, &admission_});
    const absl::Status drained = context->drainer.Start();
    if (!drained.ok()) return drained;
    const absl::Status listening =
        Listen(context.get(), *address, &acceptor_, &address_);
    if (!listening.ok()) return listening;
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
      const absl::Status reached = options_.tcp.source.CheckReaches(*parsed);
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
          kDescriptorNeed, outbounds_.size() + 1, others_descriptors_);
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
    {
      MutexLock lock(&mutex_);
      if (state_ != State::kStarted) return;
      state_ = State::kStopped;
      std::swap(outbounds, outbounds_);
      context = context_.get();
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
    context->drainer.Stop();
  }

 private:
  enum class State { kNew, kStarted, kStopped };

  const TransportConfig config_;
  const Options options_;
  Admission admission_;

  // One Start, Stop or ReloadSecurity at a time.
  Mutex change_mutex_{LockRank::kTransportStop};
  mutable Mutex mutex_{LockRank::kTransport};
  State state_ CLUSTER_GUARDED_BY(mutex_) = State::kNew;
  // Descriptors of the process before Start.
  std::size_t others_descriptors_ CLUSTER_GUARDED_BY(mutex_) = 0;
  std::string address_ CLUSTER_GUARDED_BY(mutex_);
  // Kept after Stop, since a Send or Disconnect of another thread may still be
  // inside.
  std::unique_ptr<Context> context_ CLUSTER_GUARDED_BY(mutex_);
  std::shared_ptr<AsyncHandle> acceptor_ CLUSTER_GUARDED_BY(mutex_);
  // Empty unless started.
  std::map<int, std::shared_ptr<Outbound>> outbounds_
      CLUSTER_GUARDED_BY(mutex_);
};

}  // namespace
}  // namespace nng
}  // namespace cluster::internal

namespace cluster {

absl::StatusOr<std::unique_ptr<Transport>> NewNngTransport(
    const TransportConfig& config) {
  const absl::StatusOr<internal::nng::Options> options =
      internal::nng::ReadOptions(config.options);
  if (!options.ok()) return options.status();
  if (config.frame_bytes_max > kFrameBytesLimit) {
    return absl::InvalidArgumentError(
        absl::StrCat("frame_bytes_max is ", config.frame_bytes_max,
                     "; nng carries frames of at most ", kFrameBytesLimit,
                     " bytes, so want no more"));
  }
  std::shared_ptr<const internal::TlsMaterial> material;
  if (config.security) {
    auto loaded = internal::TlsMaterial::Load(*config.security, config.cluster,
                                              config.server_id);
    if (!loaded.ok()) return loaded.status();
    material = *std::move(loaded);
  }
  return absl::make_unique<internal::nng::NngTransport>(config, *options,
                                                        std::move(material));
}

}  // namespace cluster
