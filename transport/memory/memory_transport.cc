#include "cluster/transport/memory/memory_transport.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cluster/base/check.h"
#include "cluster/base/mutex.h"
#include "cluster/transport/memory/channel.h"
#include "cluster/transport/memory/exchange.h"
#include "cluster/transport/options.h"
#include "cluster/transport/receive_threads.h"

namespace cluster::internal {
namespace memory {
namespace {

// How long frames may be delivered on and on before OnDrained is called.
constexpr std::chrono::milliseconds kUndrainedMax{1};

// The frame in one piece, uncopied if it is in one already.
Slice Join(const Frame& frame, std::size_t bytes) {
  const Slice* only = nullptr;
  int parts = 0;
  for (const Slice& slice : frame.slices) {
    if (slice.bytes.empty()) continue;
    only = &slice;
    ++parts;
  }
  if (parts == 0) return Slice{};
  if (parts == 1) return *only;
  std::string joined;
  joined.reserve(bytes);
  for (const Slice& slice : frame.slices) {
    joined.append(slice.bytes.data(), slice.bytes.size());
  }
  return MakeSlice(std::move(joined));
}

absl::Status CheckAddress(const std::string& address) {
  if (!address.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "a memory address is empty; want any other text");
}

class MemoryTransport : public Transport {
 public:
  MemoryTransport(const TransportConfig& config, std::size_t queue_bytes_max)
      : cluster_(config.cluster),
        frame_bytes_max_(config.frame_bytes_max),
        queue_bytes_max_(queue_bytes_max),
        port_(std::make_shared<Port>()) {}
  ~MemoryTransport() override { Stop(absl::ZeroDuration()); }

  absl::Status Start(TransportHandler* handler,
                     const std::string& local_address) override;
  std::string Address() const override;
  absl::Status Connect(int peer, const std::string& address,
                       std::uint64_t generation) override;
  void Disconnect(int peer) override;
  SendResult Send(int peer, const Frame& frame) override;
  absl::Status ReloadSecurity(const SecurityFiles&) override {
    return SecurityNotConfigured();
  }
  void Stop(absl::Duration linger) override;

 private:
  enum class State { kNew, kStarted, kStopped };
  struct Peer {
    std::shared_ptr<Channel> channel;
    Place place;
  };

  bool ReceiveUntilDrained();
  void Handle(const Job& job);
  void Deliver(const Job& job);

  const std::string cluster_;
  const std::size_t frame_bytes_max_;
  const std::size_t queue_bytes_max_;
  const std::shared_ptr<Port> port_;

  Mutex stop_mutex_{LockRank::kTransportStop};  // one Stop at a time
  mutable Mutex mutex_{LockRank::kTransport};
  State state_ CLUSTER_GUARDED_BY(mutex_) = State::kNew;
  std::string address_ CLUSTER_GUARDED_BY(mutex_);
  std::map<int, Peer> peers_ CLUSTER_GUARDED_BY(mutex_);

  TransportHandler* handler_ = nullptr;
  ReceiveThreads threads_;
};

absl::Status MemoryTransport::Start(TransportHandler* handler,
                                    const std::string& local_address) {
  const absl::Status valid = CheckAddress(local_address);
  if (!valid.ok()) return valid;
  absl::Status status;
  {
    MutexLock lock(&mutex_);
    if (state_ != State::kNew)
      return absl::FailedPreconditionError("the transport was started before");
    auto bound = Exchange::Get().Listen({cluster_, local_address}, port_);
    if (!bound.ok()) return bound.status();
    handler_ = handler;
    status = threads_.Start(handler, [this] { return ReceiveUntilDrained(); });
    address_ = *std::move(bound);
    state_ = State::kStarted;
  }
  // Without the lock, for which a handler that runs may be waiting.
  if (!status.ok()) Stop(absl::ZeroDuration());
  return status;
}

std::string MemoryTransport::Address() const {
  MutexLock lock(&mutex_);
  return address_;
}

absl::Status MemoryTransport::Connect(int peer, const std::string& address,
                                      std::uint64_t generation) {
  const absl::Status valid = CheckAddress(address);
  if (!valid.ok()) return valid;
  MutexLock lock(&mutex_);
  if (state_ != State::kStarted) {
    return absl::FailedPreconditionError("the transport is not running");
  }
  // A known peer keeps its channel, so that an OnWritable it is owed comes.
  Peer& entry = peers_[peer];
  if (entry.channel == nullptr) {
    entry.channel =
        std::make_shared<Channel>(peer, generation, port_, queue_bytes_max_);
  } else {
    Exchange::Get().HangUp(entry.place, entry.channel);
    entry.channel->Renew(generation, "the peer is dialled anew");
  }
  entry.place = {cluster_, address};
  Exchange::Get().Dial(entry.place, entry.channel);
  return absl::OkStatus();
}

void MemoryTransport::Disconnect(int peer) {
  MutexLock lock(&mutex_);
  const auto found = peers_.find(peer);
  if (found == peers_.end()) return;
  Exchange::Get().HangUp(found->second.place, found->second.channel);
  found->second.channel->Part();
  peers_.erase(found);
}

SendResult MemoryTransport::Send(int peer, const Frame& frame) {
  const std::size_t bytes = frame.size();
  CLUSTER_CHECK(bytes <= frame_bytes_max_, "the frame is over the limit");
  std::shared_ptr<Channel> channel;
  {
    MutexLock lock(&mutex_);
    const auto found = peers_.find(peer);
    if (state_ != State::kStarted || found == peers_.end()) {
      return SendResult::kSent;
    }
    channel = found->second.channel;
  }
  return channel->Push(Join(frame, bytes));
}

void MemoryTransport::Stop(absl::Duration linger) {
  const auto deadline =
      std::chrono::steady_clock::now() +
      absl::ToChronoNanoseconds(std::min(linger, absl::Hours(24)));
  MutexLock one_at_a_time(&stop_mutex_);
  std::map<int, Peer> peers;
  {
    MutexLock lock(&mutex_);
    if (state_ == State::kStarted) Exchange::Get().Leave({cluster_, address_});
    state_ = State::kStopped;
    peers.swap(peers_);
  }
  for (auto& [id, peer] : peers) peer.channel->WaitUntilIdle(deadline);
  for (auto& [id, peer] : peers) {
    Exchange::Get().HangUp(peer.place, peer.channel);
    peer.channel->Close();
  }
  threads_.Stop([this] { port_->Close(); });
}

// Returns when OnDrained is due; false: the port is closed.
bool MemoryTransport::ReceiveUntilDrained() {
  Job job = port_->Next(/*wait=*/true);
  while (job.kind != Job::Kind::kFrames) {
    if (job.kind == Job::Kind::kClosed) return false;
    Handle(job);
    job = port_->Next(/*wait=*/true);
  }
  const auto due = std::chrono::steady_clock::now() + kUndrainedMax;
  do {
    Handle(job);
    if (std::chrono::steady_clock::now() >= due) break;
    job = port_->Next(/*wait=*/false);
  } while (job.kind != Job::Kind::kNothing);
  return true;
}

void MemoryTransport::Handle(const Job& job) {
  if (job.kind == Job::Kind::kFrames) return Deliver(job);
  if (job.channel->closed()) return;
  const int peer = job.channel->peer();
  if (job.kind == Job::Kind::kWritable) handler_->OnWritable(peer);
  if (job.kind == Job::Kind::kConnected)
    handler_->OnConnected(peer, job.generation);
  if (job.kind == Job::Kind::kDisconnected)
    handler_->OnDisconnected(peer, job.generation, job.reason);
}

// One thread at a time is here, so the frames of a channel keep their order.
void MemoryTransport::Deliver(const Job& job) {
  Channel::Turn turn = job.channel->Take(job.epoch);
  for (Slice& frame : turn.frames) {
    if (frame.bytes.size() > frame_bytes_max_) {
      job.channel->Reattach(job.epoch,
                            absl::StrCat("a frame of ", frame.bytes.size(),
                                         " bytes is over the peer's limit of ",
                                         frame_bytes_max_));
      return;
    }
    ReceivedFrame received;
    received.slice = std::move(frame);
    if (handler_->OnFrame(std::move(received)) == FrameVerdict::kMalformed) {
      job.channel->Reattach(job.epoch, "the peer found a frame malformed");
      return;
    }
  }
  job.channel->Delivered(job.epoch, turn.cost);
}

}  // namespace
}  // namespace memory

}  // namespace cluster::internal

namespace cluster {

absl::StatusOr<std::unique_ptr<Transport>> NewMemoryTransport(
    const TransportConfig& config) {
  if (config.security) return SecurityUnsupported("memory");
  OptionReader options(config.options);
  const std::int64_t queue_bytes_max =
      options.Int("queue_bytes_max", 4 << 20, 64 << 10, 1 << 30);
  const absl::Status status = options.Finish();
  if (!status.ok()) return status;
  return std::make_unique<internal::memory::MemoryTransport>(
      config, static_cast<std::size_t>(queue_bytes_max));
}

}  // namespace cluster
