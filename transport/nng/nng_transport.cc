#include "transport/nng/nng_transport.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "transport/address.h"
#include "transport/check.h"
#include "transport/descriptors.h"
#include "transport/fork_generation.h"
#include "transport/nng/acceptor.h"
#include "transport/nng/authenticator.h"
#include "transport/nng/caretaker.h"
#include "transport/nng/drainer.h"
#include "transport/nng/endpoint.h"
#include "transport/nng/inbound.h"
#include "transport/nng/outbound.h"
#include "transport/nng/tls_material.h"
#include "transport/nng/wire.h"
#include "transport/options.h"
#include "transport/start_thread.h"

namespace cluster {
namespace nng {
namespace {

// A listener, nng's own, and some for strangers. Of a peer: the connection to
// it, and the one from it while another takes its place.
constexpr DescriptorNeed kDescriptorNeed{/*fixed=*/24, /*per_peer=*/3};

// How long the destructor waits for nng to free what the transport had.
constexpr std::chrono::seconds kFreeTime{5};

struct Options {
  std::size_t send_queue_bytes = 0;
  std::size_t read_buffer_bytes = 0;
};

absl::StatusOr<Options> ReadOptions(const TransportOptions& from) {
  OptionReader reader(from);
  Options options;
  options.send_queue_bytes = static_cast<std::size_t>(
      reader.Int("send_queue_bytes", 1 << 20, 4 << 10, 1 << 30));
  options.read_buffer_bytes = static_cast<std::size_t>(
      reader.Int("read_buffer_bytes", 256 << 10, FrameSplitter::kBufferBytesMin,
                 16 << 20));
  const absl::Status status = reader.Finish();
  if (!status.ok()) return status;
  return options;
}

// A length with the highest bit is a control message's.
static_assert(kFrameBytesLimit < kControlFlag, "a frame is no control message");

absl::Status CheckFrameBytesMax(std::size_t frame_bytes_max) {
  if (frame_bytes_max < kControlFlag) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("frame_bytes_max is ", frame_bytes_max,
                   "; nng carries frames of at most ", kControlFlag - 1,
                   " bytes, so want no more"));
}

// nng's threads are of the process that first used it. In a child of that it
// ends the process (nng 1.5: "nng is not fork-reentrant safe").
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

// What there is from Start on.
struct Running {
  explicit Running(TransportHandler* handler) : drainer(handler) {}

  Drainer drainer;
  InboundContext inbound;
  OutboundContext outbound;
  std::shared_ptr<Acceptor> acceptor;
  Caretaker caretaker;  // last: its thread uses the others
};

class NngTransport final : public Transport {
 public:
  // `material`: as read; null for plaintext.
  NngTransport(const TransportConfig& config, const Options& options,
               std::shared_ptr<TlsMaterial> material);
  ~NngTransport() override;

  absl::Status Start(TransportHandler* handler,
                     const std::string& local_address) override;
  std::string Address() const override;
  absl::Status Connect(int peer, const std::string& address,
                       std::uint64_t generation) override;
  void Disconnect(int peer) override;
  SendResult Send(int peer, const Frame& frame) override;
  absl::Status ReloadSecurity(const SecurityFiles& files) override;
  void Stop(absl::Duration linger) override;

 private:
  enum class State { kNew, kStarted, kStopped };

  bool secured() const { return config_.security.has_value(); }
  absl::Status BeginSecurity();
  std::unique_ptr<Running> NewRunning(TransportHandler* handler) const;
  // Where the address can be had with the security that there is.
  absl::StatusOr<cluster::Address> Parse(const std::string& text) const;
  nng_tls_config* ListenerTls() const;
  std::shared_ptr<Outbound> Find(int peer);
  // Empties the map and returns what was in it.
  std::vector<std::shared_ptr<Outbound>> TakeOutbounds();

  const TransportConfig config_;
  const Options options_;

  // One Start, Stop or ReloadSecurity at a time; taken before mutex_.
  std::mutex change_mutex_;
  // Guarded by change_mutex_. Before Start the material is what was read last;
  // from then on the authenticator has it.
  std::shared_ptr<TlsMaterial> material_;
  std::unique_ptr<Authenticator> authenticator_;  // null: plaintext
  mutable std::mutex mutex_;
  // The rest is guarded by mutex_.
  State state_ = State::kNew;
  std::size_t others_descriptors_ = 0;  // the process's, before Start
  std::string address_;
  // Kept after Stop, since a Send or Disconnect of another thread may still be
  // inside.
  std::unique_ptr<Running> running_;
  std::map<int, std::shared_ptr<Outbound>> outbounds_;
};

void TakeStream(InboundContext* context, nng_stream* stream,
                std::uint64_t generation) {
  const auto connection = std::make_shared<Inbound>(context, stream);
  if (context->authenticator != nullptr) connection->Admit(generation);
  context->caretaker->Add(connection);
  connection->Start();
}

NngTransport::NngTransport(const TransportConfig& config,
                           const Options& options,
                           std::shared_ptr<TlsMaterial> material)
    : config_(config), options_(options), material_(std::move(material)) {}

// nng closes descriptors after Stop, at some thousands in a second. The next
// server counts them, so they are waited for. In a child of fork there is nobody
// to wait for.
NngTransport::~NngTransport() {
  Stop(absl::ZeroDuration());
  if (state_ == State::kStopped && CheckGeneration().ok())
    AwaitReaper(Clock::now() + kFreeTime);
}

// Not before Start: it starts nng.
absl::Status NngTransport::BeginSecurity() {
  if (!secured()) return absl::OkStatus();
  if (absl::Status status = material_->MakeConfigs(); !status.ok())
    return status;
  authenticator_ = absl::make_unique<Authenticator>(
      config_.server_id, material_, [this](int peer) { return Find(peer); });
  return absl::OkStatus();
}

std::unique_ptr<Running> NngTransport::NewRunning(
    TransportHandler* handler) const {
  const auto handshake_timeout =
      absl::ToChronoNanoseconds(config_.handshake_timeout);
  auto running = absl::make_unique<Running>(handler);
  running->inbound.handler = handler;
  running->inbound.caretaker = &running->caretaker;
  running->inbound.drainer = &running->drainer;
  running->inbound.authenticator = authenticator_.get();
  running->inbound.pool = config_.buffers;
  running->inbound.frame_bytes_max = config_.frame_bytes_max;
  running->inbound.read_buffer_bytes = options_.read_buffer_bytes;
  running->inbound.handshake_timeout = handshake_timeout;
  running->outbound.handler = handler;
  running->outbound.caretaker = &running->caretaker;
  running->outbound.authenticator = authenticator_.get();
  running->outbound.queue_bytes_max = options_.send_queue_bytes;
  running->outbound.dial_timeout = handshake_timeout;
  return running;
}

absl::StatusOr<cluster::Address> NngTransport::Parse(
    const std::string& text) const {
  absl::StatusOr<cluster::Address> address = ParseAddress(text);
  if (!address.ok() || !secured()) return address;
  const absl::Status securable = CheckSecurable(*address);
  if (!securable.ok()) return securable;
  return address;
}

absl::Status NngTransport::Start(TransportHandler* handler,
                                 const std::string& local_address) {
  const absl::StatusOr<cluster::Address> address = Parse(local_address);
  if (!address.ok()) return address.status();
  const SignalsBlocked blocked;  // nng may start its threads here
  std::lock_guard<std::mutex> change_lock(change_mutex_);
  std::lock_guard<std::mutex> lock(mutex_);
  if (state_ != State::kNew) {
    return absl::FailedPreconditionError("the transport was started already");
  }
  if (absl::Status status = CheckGeneration(); !status.ok()) return status;
  others_descriptors_ = DescriptorsInUse();
  const absl::Status enough =
      CheckDescriptors(kDescriptorNeed, config_.peers, others_descriptors_);
  if (!enough.ok()) return enough;
  if (absl::Status status = BeginSecurity(); !status.ok()) return status;
  auto running = NewRunning(handler);
  const absl::Status tended = running->caretaker.Start();
  if (!tended.ok()) return tended;
  InboundContext* const inbound = &running->inbound;
  const TlsMaterial* const material = material_.get();
  auto acceptor =
      Acceptor::Open(&running->caretaker, *address,
                     material == nullptr ? nullptr : material->listener(),
                     [inbound](nng_stream* stream, std::uint64_t generation) {
                       TakeStream(inbound, stream, generation);
                     });
  if (!acceptor.ok()) return acceptor.status();
  running->acceptor = *std::move(acceptor);
  if (material != nullptr) {
    running->acceptor->SetTls(material->listener(),
                              authenticator_->generation());
  }
  address_ = running->acceptor->bound_address();
  running->caretaker.Add(running->acceptor);
  running->acceptor->Start();
  running_ = std::move(running);
  material_ = nullptr;
  state_ = State::kStarted;
  return absl::OkStatus();
}

std::string NngTransport::Address() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return address_;
}

absl::Status NngTransport::Connect(int peer, const std::string& address,
                                   std::uint64_t generation) {
  absl::StatusOr<cluster::Address> parsed = Parse(address);
  if (!parsed.ok()) return parsed.status();
  if (parsed->kind == cluster::Address::Kind::kTcp &&
      (parsed->port == 0 || parsed->host == "*")) {
    return absl::InvalidArgumentError(absl::StrCat(
        "address \"", address, "\": can be listened on, but not dialled"));
  }
  std::shared_ptr<Outbound> known;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (state_ != State::kStarted) {
      return absl::FailedPreconditionError("the transport is not running");
    }
    const auto found = outbounds_.find(peer);
    if (found == outbounds_.end()) {
      if (outbounds_.size() >= config_.peers) {
        const absl::Status enough = CheckDescriptors(
            kDescriptorNeed, outbounds_.size() + 1, others_descriptors_);
        if (!enough.ok()) return enough;
      }
      std::shared_ptr<Outbound>& outbound = outbounds_[peer];
      outbound = std::make_shared<Outbound>(running_->outbound, peer,
                                            *std::move(parsed), generation);
      running_->caretaker.Add(outbound);
      return absl::OkStatus();
    }
    known = found->second;
  }
  known->SetAddress(*std::move(parsed), generation);
  return absl::OkStatus();
}

void NngTransport::Disconnect(int peer) {
  std::shared_ptr<Outbound> outbound;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = outbounds_.find(peer);
    if (found == outbounds_.end()) return;
    outbound = std::move(found->second);
    outbounds_.erase(found);
  }
  outbound->Part();
}

std::shared_ptr<Outbound> NngTransport::Find(int peer) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (state_ != State::kStarted) return nullptr;
  const auto found = outbounds_.find(peer);
  return found == outbounds_.end() ? nullptr : found->second;
}

SendResult NngTransport::Send(int peer, const Frame& frame) {
  CLUSTER_CHECK(frame.size() <= config_.frame_bytes_max,
                "the frame is over the limit");
  const std::shared_ptr<Outbound> outbound = Find(peer);
  return outbound == nullptr ? SendResult::kSent : outbound->Send(frame);
}

std::vector<std::shared_ptr<Outbound>> NngTransport::TakeOutbounds() {
  std::vector<std::shared_ptr<Outbound>> outbounds;
  std::lock_guard<std::mutex> lock(mutex_);
  for (auto& entry : outbounds_) outbounds.push_back(std::move(entry.second));
  outbounds_.clear();
  return outbounds;
}

absl::Status NngTransport::ReloadSecurity(const SecurityFiles& files) {
  if (!secured()) return SecurityNotConfigured();
  // Before the files are read: of two calls the one that read them last has the
  // last word.
  std::lock_guard<std::mutex> change_lock(change_mutex_);
  auto material = TlsMaterial::Read(files, config_.cluster, config_.server_id);
  if (!material.ok()) return material.status();
  if (material_ != nullptr) {  // before Start
    material_ = *std::move(material);
    return absl::OkStatus();
  }
  if (absl::Status status = (*material)->MakeConfigs(); !status.ok())
    return status;
  const std::set<int> revoked = authenticator_->Reload(*material);
  std::vector<std::shared_ptr<Outbound>> ended;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (state_ != State::kStarted) return absl::OkStatus();
    for (const int peer : revoked) {
      const auto found = outbounds_.find(peer);
      if (found != outbounds_.end()) ended.push_back(found->second);
    }
  }
  for (const auto& outbound : ended) outbound->Redial();
  // Last: until then no link is admitted, so none can be challenged over a link
  // to a key that is revoked, by whose holder a member could have it proven.
  running_->acceptor->SetTls((*material)->listener(),
                             authenticator_->generation());
  return absl::OkStatus();
}

void NngTransport::Stop(absl::Duration linger) {
  std::lock_guard<std::mutex> change_lock(change_mutex_);
  Running* running = nullptr;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (state_ != State::kStarted) return;
    state_ = State::kStopped;
    running = running_.get();
  }

  running->acceptor->Close();
  running->inbound.stopped.store(true);
  running->caretaker.Wake();

  constexpr absl::Duration kLingerMax = absl::Hours(24);
  const Clock::time_point deadline =
      Clock::now() + absl::ToChronoNanoseconds(std::min(linger, kLingerMax));
  const auto outbounds = TakeOutbounds();
  for (const auto& outbound : outbounds) outbound->WaitUntilSent(deadline);
  for (const auto& outbound : outbounds) outbound->Disconnect();

  running->caretaker.Stop();
  running->drainer.Stop();
}

}  // namespace
}  // namespace nng

absl::StatusOr<std::unique_ptr<Transport>> NewNngTransport(
    const TransportConfig& config) {
  const absl::StatusOr<nng::Options> options = nng::ReadOptions(config.options);
  if (!options.ok()) return options.status();
  const absl::Status bounded = nng::CheckFrameBytesMax(config.frame_bytes_max);
  if (!bounded.ok()) return bounded;
  std::shared_ptr<nng::TlsMaterial> material;
  if (config.security) {
    auto loaded = nng::TlsMaterial::Read(*config.security, config.cluster,
                                         config.server_id);
    if (!loaded.ok()) return loaded.status();
    material = *std::move(loaded);
  }
  return absl::make_unique<nng::NngTransport>(config, *options,
                                              std::move(material));
}

}  // namespace cluster
