#include "tests/custom/unix_transport.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/base/check.h"
#include "cluster/transport/relief.h"
#include "tests/custom/unix_peer.h"
#include "tests/custom/unix_socket.h"

namespace cluster {
namespace {

using Clock = UnixPeer::Clock;

constexpr std::size_t kReadBytes = 256u << 10;
constexpr int kPollMsMax = 1000;

// A connection that somebody else dialled, and the bytes of it that are no
// whole frame yet.
struct Inbound {
  OwnedFd fd;
  std::string bytes;
};

// What a pass over the peers found out, to be told without the lock.
struct Notice {
  enum class Kind { kConnected, kDisconnected, kWritable } kind;
  int peer;
  std::uint64_t generation;
  std::string reason;
};

class UnixTransport : public Transport {
 public:
  explicit UnixTransport(const TransportConfig& config)
      : frame_bytes_max_(config.frame_bytes_max),
        wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  ~UnixTransport() override { Stop(absl::ZeroDuration()); }

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
  enum class State { kNew, kStarted, kStopping };

  void Wake();
  // One of two threads runs it; the other relieves it when OnDrained is long.
  void Loop();
  // Waits for something to do and does it; true: frames were delivered.
  bool Pass();
  int PreparePoll(std::vector<pollfd>* fds);
  void Accept();
  bool Read(Inbound* inbound, bool* delivered);
  bool Split(Inbound* inbound, bool* delivered);
  std::vector<Notice> ServePeers();
  void ServePeer(int id, UnixPeer* peer, std::vector<Notice>* notices);
  void Tell(const Notice& notice);

  const std::size_t frame_bytes_max_;
  const OwnedFd wake_;
  TransportHandler* handler_ = nullptr;
  Relief relief_;
  std::vector<std::thread> threads_;
  std::mutex stop_;  // one Stop at a time

  mutable std::mutex mutex_;
  std::condition_variable idle_;
  State state_ = State::kNew;
  std::string address_;
  std::map<int, UnixPeer> peers_;
  std::vector<OwnedFd> given_up_;  // closed by the loop, which may poll them

  // The loop's.
  OwnedFd listener_;
  std::list<Inbound> inbounds_;
};

absl::Status UnixTransport::Start(TransportHandler* handler,
                                  const std::string& local_address) {
  absl::StatusOr<std::string> path = UnixPath(local_address);
  if (!path.ok()) return path.status();
  std::lock_guard<std::mutex> lock(mutex_);
  if (state_ != State::kNew)
    return absl::FailedPreconditionError("started before");
  absl::StatusOr<OwnedFd> listener = ListenAt(*path);
  if (!listener.ok()) return listener.status();
  listener_ = *std::move(listener);
  handler_ = handler;
  address_ = local_address;
  state_ = State::kStarted;
  for (int i = 0; i < 2; ++i) threads_.emplace_back([this] { Loop(); });
  return absl::OkStatus();
}

std::string UnixTransport::Address() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return address_;
}

absl::Status UnixTransport::Connect(int peer, const std::string& address,
                                    std::uint64_t generation) {
  absl::StatusOr<std::string> path = UnixPath(address);
  if (!path.ok()) return path.status();
  std::lock_guard<std::mutex> lock(mutex_);
  if (state_ != State::kStarted)
    return absl::FailedPreconditionError("not running");
  given_up_.push_back(peers_[peer].MoveTo(*std::move(path), generation));
  Wake();
  return absl::OkStatus();
}

void UnixTransport::Disconnect(int peer) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = peers_.find(peer);
  if (found == peers_.end()) return;
  // What the connection takes now is what the peer can still get.
  if (found->second.fd() >= 0) found->second.Write();
  given_up_.push_back(found->second.Drop());
  peers_.erase(found);
  Wake();
}

SendResult UnixTransport::Send(int peer, const Frame& frame) {
  CLUSTER_CHECK(frame.size() <= frame_bytes_max_, "frame over the limit");
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = peers_.find(peer);
  if (state_ != State::kStarted || found == peers_.end())
    return SendResult::kSent;
  const bool idle = found->second.empty();
  const SendResult result = found->second.Push(frame);
  if (idle) Wake();
  return result;
}

void UnixTransport::Stop(absl::Duration linger) {
  std::lock_guard<std::mutex> one(stop_);
  {
    std::unique_lock<std::mutex> lock(mutex_);
    state_ = State::kStopping;
    idle_.wait_for(lock,
                   absl::ToChronoMilliseconds(std::min(linger, absl::Hours(1))),
                   [this] {
                     return std::all_of(
                         peers_.begin(), peers_.end(),
                         [](const auto& peer) { return peer.second.empty(); });
                   });
  }
  relief_.Close();
  Wake();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  std::lock_guard<std::mutex> lock(mutex_);
  peers_.clear();
  given_up_.clear();
  inbounds_.clear();
  listener_ = OwnedFd();
}

void UnixTransport::Wake() {
  const std::uint64_t one = 1;
  // It fails only if it is so full that the loop is awake anyway.
  if (write(wake_.get(), &one, sizeof(one)) < 0) return;
}

void UnixTransport::Loop() {
  while (relief_.Acquire()) {
    bool delivered = false;
    do {
      delivered = Pass();
      if (relief_.closed()) return;
    } while (!delivered || relief_.Call([this] { handler_->OnDrained(); }));
  }
}

// The wake-up, the listener, then the inbound connections and those of peers.
int UnixTransport::PreparePoll(std::vector<pollfd>* fds) {
  fds->push_back({wake_.get(), POLLIN, 0});
  fds->push_back({listener_.get(), POLLIN, 0});
  for (const Inbound& inbound : inbounds_)
    fds->push_back({inbound.fd.get(), POLLIN, 0});
  Clock::time_point next = Clock::now() + std::chrono::milliseconds(kPollMsMax);
  std::lock_guard<std::mutex> lock(mutex_);
  given_up_.clear();
  for (const auto& [id, peer] : peers_) {
    if (peer.fd() < 0) {
      next = std::min(next, peer.dial_at());
      continue;
    }
    const short events = peer.empty() ? POLLIN : POLLIN | POLLOUT;
    fds->push_back({peer.fd(), events, 0});
  }
  const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(
      next - Clock::now());
  return static_cast<int>(std::max<std::int64_t>(0, wait.count() + 1));
}

bool UnixTransport::Pass() {
  std::vector<pollfd> fds;
  const int timeout_ms = PreparePoll(&fds);
  poll(fds.data(), fds.size(), timeout_ms);
  std::uint64_t count = 0;
  if (fds[0].revents != 0 && read(wake_.get(), &count, sizeof(count)) < 0)
    return false;
  if (relief_.closed()) return false;

  bool delivered = false;
  auto polled = fds.begin() + 2;
  for (auto inbound = inbounds_.begin(); inbound != inbounds_.end();) {
    const bool good = (polled++)->revents == 0 || Read(&*inbound, &delivered);
    inbound = good ? std::next(inbound) : inbounds_.erase(inbound);
  }
  if (fds[1].revents != 0) Accept();
  for (const Notice& notice : ServePeers()) Tell(notice);
  return delivered;
}

void UnixTransport::Accept() {
  while (true) {
    OwnedFd fd(accept4(listener_.get(), nullptr, nullptr,
                       SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd.open()) return;
    inbounds_.push_back({std::move(fd), ""});
  }
}

// Both: false, the connection is to be closed.
bool UnixTransport::Read(Inbound* inbound, bool* delivered) {
  const std::size_t before = inbound->bytes.size();
  inbound->bytes.resize(before + kReadBytes);
  const ssize_t got =
      recv(inbound->fd.get(), &inbound->bytes[before], kReadBytes, 0);
  inbound->bytes.resize(before +
                        static_cast<std::size_t>(std::max<ssize_t>(0, got)));
  if (got == 0 || (got < 0 && errno != EAGAIN)) return false;
  return Split(inbound, delivered);
}

bool UnixTransport::Split(Inbound* inbound, bool* delivered) {
  absl::string_view rest = inbound->bytes;
  std::uint32_t length = 0;
  while (rest.size() >= sizeof(length)) {
    std::memcpy(&length, rest.data(), sizeof(length));
    if (length > frame_bytes_max_) return false;
    if (rest.size() - sizeof(length) < length) break;
    ReceivedFrame frame;
    frame.slice = MakeSlice(std::string(rest.substr(sizeof(length), length)));
    rest.remove_prefix(sizeof(length) + length);
    *delivered = true;
    if (handler_->OnFrame(std::move(frame)) == FrameVerdict::kMalformed)
      return false;
  }
  inbound->bytes.erase(0, inbound->bytes.size() - rest.size());
  return true;
}

std::vector<Notice> UnixTransport::ServePeers() {
  std::vector<Notice> notices;
  std::lock_guard<std::mutex> lock(mutex_);
  for (auto& [id, peer] : peers_) ServePeer(id, &peer, &notices);
  idle_.notify_all();
  return notices;
}

void UnixTransport::ServePeer(int id, UnixPeer* peer,
                              std::vector<Notice>* notices) {
  const auto now = Clock::now();
  std::string trouble;
  if (peer->DialDue(now)) {
    trouble = peer->Dial(now);
    notices->push_back({trouble.empty() ? Notice::Kind::kConnected
                                        : Notice::Kind::kDisconnected,
                        id, peer->generation(), trouble});
  }
  if (peer->fd() < 0) return;
  trouble = peer->HasEnded() ? "the peer closed the connection" : peer->Write();
  if (!trouble.empty()) {
    given_up_.push_back(peer->Drop());
    notices->push_back(
        {Notice::Kind::kDisconnected, id, peer->generation(), trouble});
  }
  for (int due = peer->TakeWritables(); due > 0; --due)
    notices->push_back({Notice::Kind::kWritable, id, peer->generation(), ""});
}

void UnixTransport::Tell(const Notice& notice) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (peers_.count(notice.peer) == 0) return;
  }
  switch (notice.kind) {
    case Notice::Kind::kConnected:
      return handler_->OnConnected(notice.peer, notice.generation);
    case Notice::Kind::kDisconnected:
      return handler_->OnDisconnected(notice.peer, notice.generation,
                                      notice.reason);
    case Notice::Kind::kWritable:
      return handler_->OnWritable(notice.peer);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Transport>> NewUnixTransport(
    const TransportConfig& config) {
  if (config.security) return SecurityUnsupported("unix");
  OptionReader options(config.options);
  const absl::Status status = options.Finish();
  if (!status.ok()) return status;
  return std::make_unique<UnixTransport>(config);
}

}  // namespace cluster
