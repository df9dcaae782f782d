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
#include "cluster/transport/memory/port.h"
#include "cluster/transport/memory/receiver.h"
#include "cluster/transport/options.h"

namespace cluster::internal {
namespace memory {
namespace {

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
        port_(std::make_shared<Port>(config.frame_bytes_max)) {}
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

  const std::string cluster_;
  const std::size_t frame_bytes_max_;
  const std::size_t queue_bytes_max_;
  const std::shared_ptr<Port> port_;

  Mutex stop_mutex_{LockRank::kTransportStop};  // one Stop at a time
  mutable Mutex mutex_{LockRank::kTransport};
  State state_ CLUSTER_GUARDED_BY(mutex_) = State::kNew;
  std::string address_ CLUSTER_GUARDED_BY(mutex_);
  std::map<int, Peer> peers_ CLUSTER_GUARDED_BY(mutex_);
  std::unique_ptr<Receiver> receiver_ CLUSTER_GUARDED_BY(mutex_);
};

absl::Status MemoryTransport::Start(TransportHandler* handler,
                                    const std::string& local_address) {
  const absl::Status valid = CheckAddress(local_address);
  if (!valid.ok()) return valid;
  // Before the lock: if it fails it ends after that, since a handler that it
  // calls may be waiting for the lock.
  std::unique_ptr<Receiver> receiver;
  MutexLock lock(&mutex_);
  if (state_ != State::kNew) {
    return absl::FailedPreconditionError("the transport was started before");
  }
  auto bound = Exchange::Get().Listen({cluster_, local_address}, port_);
  if (!bound.ok()) return bound.status();
  receiver = std::make_unique<Receiver>(port_, handler);
  const absl::Status status = receiver->Start();
  if (!status.ok()) {
    Exchange::Get().Leave({cluster_, *bound});
    state_ = State::kStopped;  // its port is closed
    return status;
  }
  address_ = *std::move(bound);
  state_ = State::kStarted;
  receiver_ = std::move(receiver);
  return absl::OkStatus();
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
  // Freed without the lock, for which a running callback may wait.
  std::unique_ptr<Receiver> receiver;
  {
    MutexLock lock(&mutex_);
    if (state_ == State::kStarted) Exchange::Get().Leave({cluster_, address_});
    state_ = State::kStopped;
    peers.swap(peers_);
    receiver.swap(receiver_);
  }
  for (auto& [id, peer] : peers) peer.channel->WaitUntilIdle(deadline);
  for (auto& [id, peer] : peers) {
    Exchange::Get().HangUp(peer.place, peer.channel);
    peer.channel->Close();
  }
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
