#include "tests/custom/unix_transport.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/base/check.h"
#include "cluster/base/open_file.h"
#include "cluster/transport/address.h"
#include "cluster/transport/receive_threads.h"
#include "cluster/transport/stream/backoff.h"
#include "cluster/transport/stream/frame_splitter.h"
#include "cluster/transport/stream/preamble.h"
#include "cluster/transport/stream/write_batch.h"

namespace cluster::internal {
namespace {

using Clock = stream::Backoff::Clock;

constexpr std::size_t kQueueBytesMax = 4u << 20;
constexpr std::size_t kReadBytes = 256u << 10;
constexpr int kDialLookMs = 10;  // while a peer is not connected

// The last share closes the socket, so that it stays open while poll uses it.
using Socket = std::shared_ptr<const OpenFile>;

// The name of "ipc:///path" in the abstract namespace.
absl::StatusOr<sockaddr_un> NameOf(const std::string& text) {
  const absl::StatusOr<Address> address = ParseAddress(text);
  if (!address.ok() || address->kind != Address::Kind::kIpc)
    return absl::InvalidArgumentError(absl::StrCat(text, ": want ipc:///path"));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  address->path.copy(name.sun_path + 1, kIpcPathBytesMax);
  return name;
}

// A new socket, bound or connected by `call`.
template <typename Call>
absl::StatusOr<Socket> NewSocket(Call call, const std::string& address) {
  const absl::StatusOr<sockaddr_un> name = NameOf(address);
  if (!name.ok()) return name.status();
  auto socket = std::make_shared<const OpenFile>(
      ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const auto* const any = reinterpret_cast<const sockaddr*>(&*name);
  if (call(socket->fd(), any, sizeof(*name)) == 0) return Socket(socket);
  if (errno == EADDRINUSE)
    return absl::AlreadyExistsError(absl::StrCat(address, " is bound"));
  return absl::ErrnoToStatus(errno, address);
}

// The frames to one peer, and their connection.
struct Outbound {
  std::string address;
  std::uint64_t generation = 0;
  Socket socket;
  stream::Backoff backoff;
  Clock::time_point dial_at{};
  stream::FrameQueue queue;
  stream::WriteBatch batch;
  int owed = 0;  // OnWritables

  bool empty() const { return queue.empty() && batch.done(); }
  bool TakeWritable() {
    return queue.bytes() <= kQueueBytesMax / 2 && owed > 0 && owed-- > 0;
  }

  // A Unix socket is connected at once or not at all.
  absl::Status Dial() {
    absl::StatusOr<Socket> dialled = NewSocket(::connect, address);
    dial_at = Clock::now() + backoff.NextDelay();
    if (!dialled.ok()) return dialled.status();
    backoff.Reset();
    socket = *std::move(dialled);
    // A new socket has room for the first bytes.
    send(socket->fd(), stream::Preamble().data(), stream::kPreambleBytes,
         MSG_NOSIGNAL);
    return absl::OkStatus();
  }

  // Writes as much as the connection takes. An error means that it has ended;
  // bytes that come back are an error too, since it only sends.
  absl::Status Write() {
    char byte;
    if (recv(socket->fd(), &byte, 1, 0) >= 0 || errno != EAGAIN)
      return absl::UnavailableError("the peer closed the connection");
    for (;;) {
      if (batch.done()) {
        batch.Clear();
        batch.Fill(&queue);
        if (batch.done()) return absl::OkStatus();
      }
      const absl::string_view bytes = batch.segments()[0];
      const ssize_t sent =
          send(socket->fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EAGAIN) return absl::OkStatus();
      if (sent < 0) return absl::ErrnoToStatus(errno, "send");
      batch.Advance(static_cast<std::size_t>(sent));
    }
  }

  // Gives up the connection and the frame in transit on it. A peer that refuses
  // this frame would close the next connection too.
  void HangUp() {
    socket = nullptr;
    batch.ReturnUntouched(&queue);
    batch.Clear();
  }
};

// A connection that a peer dialled.
struct Inbound {
  Socket socket;
  stream::FrameSplitter splitter;
};

class UnixTransport : public Transport {
 public:
  explicit UnixTransport(const TransportConfig& config)
      : config_(config), wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  ~UnixTransport() override { Stop(absl::ZeroDuration()); }

  absl::Status Start(TransportHandler* handler,
                     const std::string& local_address) override {
    std::lock_guard<std::mutex> lock(mutex_);
    if (handler_ != nullptr || stopped_)
      return absl::FailedPreconditionError("started before");
    absl::StatusOr<Socket> listener = NewSocket(::bind, local_address);
    if (!listener.ok()) return listener.status();
    if (listen((*listener)->fd(), SOMAXCONN) != 0)
      return absl::ErrnoToStatus(errno, local_address);
    listener_ = *std::move(listener);
    handler_ = handler;
    address_ = local_address;
    return threads_.Start(handler, [this] { return Turn(); });
  }

  std::string Address() const override {
    std::lock_guard<std::mutex> lock(mutex_);
    return address_;
  }

  absl::Status Connect(int peer, const std::string& address,
                       std::uint64_t generation) override {
    absl::Status status = NameOf(address).status();
    if (!status.ok()) return status;
    std::lock_guard<std::mutex> lock(mutex_);
    if (handler_ == nullptr || stopped_)
      return absl::FailedPreconditionError("not running");
    Outbound& outbound = outbounds_[peer];
    outbound.HangUp();
    outbound.address = address;
    outbound.generation = generation;
    outbound.dial_at = Clock::now();
    Wake();
    return absl::OkStatus();
  }

  void Disconnect(int peer) override {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = outbounds_.find(peer);
    if (found == outbounds_.end()) return;
    // The peer can still get as much as the connection takes now.
    if (found->second.socket != nullptr) found->second.Write().IgnoreError();
    outbounds_.erase(found);
    Wake();
  }

  SendResult Send(int peer, const Frame& frame) override {
    CLUSTER_CHECK(frame.size() <= config_.frame_bytes_max,
                  "frame over the limit");
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = outbounds_.find(peer);
    if (stopped_ || found == outbounds_.end()) return SendResult::kSent;
    Outbound& outbound = found->second;
    if (outbound.queue.bytes() > kQueueBytesMax) {
      ++outbound.owed;
      return SendResult::kBackPressured;
    }
    if (outbound.empty()) Wake();
    outbound.queue.PushBack(frame);
    return SendResult::kSent;
  }

  absl::Status ReloadSecurity(const SecurityFiles&) override {
    return SecurityNotConfigured();
  }

  void Stop(absl::Duration linger) override {
    const auto empty = [](const auto& peer) { return peer.second.empty(); };
    const absl::Duration most = std::min(linger, absl::Hours(1));
    std::unique_lock<std::mutex> lock(mutex_);
    stopped_ = true;
    written_.wait_for(lock, absl::ToChronoNanoseconds(most), [&] {
      return std::all_of(outbounds_.begin(), outbounds_.end(), empty);
    });
    lock.unlock();
    threads_.Stop([this] { Wake(); });
    lock.lock();
    outbounds_.clear();
    inbounds_.clear();
    listener_ = nullptr;
  }

 private:
  void Wake() { eventfd_write(wake_.fd(), 1); }

  // Waits for something to do, and does it. Returns whether it delivered
  // frames.
  bool Turn() {
    std::vector<pollfd> polled{{wake_.fd(), POLLIN, 0},
                               {listener_->fd(), POLLIN, 0}};
    for (const Inbound& inbound : inbounds_)
      polled.push_back({inbound.socket->fd(), POLLIN, 0});
    std::vector<std::pair<int, Socket>> peers;
    int wait_ms = -1;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      for (const auto& [id, outbound] : outbounds_) {
        const Socket& socket = peers.emplace_back(id, outbound.socket).second;
        const short events = outbound.empty() ? POLLIN : POLLIN | POLLOUT;
        if (socket == nullptr) wait_ms = kDialLookMs;
        if (socket != nullptr) polled.push_back({socket->fd(), events, 0});
      }
    }
    poll(polled.data(), polled.size(), wait_ms);
    eventfd_t ignored;
    eventfd_read(wake_.fd(), &ignored);

    bool delivered = false;
    auto event = polled.begin() + 2;
    for (auto inbound = inbounds_.begin(); inbound != inbounds_.end();) {
      const bool good = (event++)->revents == 0 || Read(&*inbound, &delivered);
      inbound = good ? std::next(inbound) : inbounds_.erase(inbound);
    }
    auto accepted = std::make_shared<const OpenFile>(accept4(
        listener_->fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    stream::FrameSplitter splitter(config_.buffers, config_.frame_bytes_max,
                                   kReadBytes);
    if (accepted->fd() >= 0) inbounds_.push_back({accepted, splitter});
    for (const auto& [id, socket] : peers) {
      while (Serve(id)) continue;
    }
    written_.notify_all();
    return delivered;
  }

  // False: close the connection.
  bool Read(Inbound* inbound, bool* delivered) {
    const absl::Span<char> room = inbound->splitter.Room();
    const ssize_t got =
        recv(inbound->socket->fd(), room.data(), room.size(), 0);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    inbound->splitter.Commit(static_cast<std::size_t>(got));
    for (;;) {
      ReceivedFrame frame;
      const auto step = inbound->splitter.Next(&frame.slice);
      if (step != stream::FrameSplitter::Step::kFrame)
        return step == stream::FrameSplitter::Step::kMore;
      *delivered = true;
      if (handler_->OnFrame(std::move(frame)) == FrameVerdict::kMalformed)
        return false;
    }
  }

  // Dials or writes, and calls the handler at most once, since the handler may
  // disconnect the peer in that call. True: there may be more to do.
  bool Serve(int id) {
    std::unique_lock<std::mutex> lock(mutex_);
    const auto found = outbounds_.find(id);
    if (found == outbounds_.end()) return false;
    Outbound& outbound = found->second;
    const std::uint64_t generation = outbound.generation;
    const bool dials = outbound.socket == nullptr;
    if (dials && Clock::now() < outbound.dial_at) return false;
    const absl::Status status = dials ? outbound.Dial() : outbound.Write();
    if (!status.ok()) outbound.HangUp();
    const bool connected = dials && status.ok();
    const bool writable = !dials && status.ok() && outbound.TakeWritable();
    lock.unlock();
    if (!status.ok())
      handler_->OnDisconnected(id, generation, status.message());
    if (connected) handler_->OnConnected(id, generation);
    if (writable) handler_->OnWritable(id);
    return connected || writable;
  }

  const TransportConfig config_;
  const OpenFile wake_;
  ReceiveThreads threads_;
  mutable std::mutex mutex_;
  std::condition_variable written_;
  std::string address_;
  bool stopped_ = false;
  std::map<int, Outbound> outbounds_;

  // Start sets it; then only the receiving thread uses it.
  TransportHandler* handler_ = nullptr;
  Socket listener_;
  std::list<Inbound> inbounds_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Transport>> NewUnixTransport(
    const TransportConfig& config) {
  if (config.security) return SecurityUnsupported("unix");
  absl::Status status = OptionReader(config.options).Finish();
  if (!status.ok()) return status;
  return std::make_unique<UnixTransport>(config);
}

}  // namespace cluster::internal
