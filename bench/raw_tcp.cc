#include "bench/raw_tcp.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "cluster/base/check.h"

namespace cluster {
namespace bench {
namespace {

constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kBufferBytes = 256u << 10;

void Check(bool good) { CLUSTER_CHECK(good, "a system call failed"); }

void NoDelay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));  // not for ipc
}

void Watch(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  Check(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
}

}  // namespace

TcpEndpoint::TcpEndpoint() : stop_(eventfd(0, EFD_CLOEXEC)) {
  Check(stop_ >= 0);
}

TcpEndpoint::~TcpEndpoint() {
  for (const auto& [fd, stream] : streams_) close(fd);
  for (int fd : {listener_, connection_, stop_})
    if (fd >= 0) close(fd);
  if (listener_ >= 0 && name_.ss_family == AF_UNIX)
    unlink(reinterpret_cast<const sockaddr_un&>(name_).sun_path);
}

void TcpEndpoint::Bind(Scheme scheme) {
  if (scheme == Scheme::kIpc) {
    auto& un = reinterpret_cast<sockaddr_un&>(name_);
    un.sun_family = AF_UNIX;
    const std::string path = NewIpcPath();
    Check(path.size() < sizeof(un.sun_path));
    std::memcpy(un.sun_path, path.data(), path.size());
    name_bytes_ = sizeof(un);
  } else {
    auto& v4 = reinterpret_cast<sockaddr_in&>(name_);
    v4.sin_family = AF_INET;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    name_bytes_ = sizeof(v4);
  }
  listener_ = socket(name_.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto* const name = reinterpret_cast<sockaddr*>(&name_);
  Check(bind(listener_, name, name_bytes_) == 0);
  Check(listen(listener_, SOMAXCONN) == 0);
  if (scheme == Scheme::kTcp)
    Check(getsockname(listener_, name, &name_bytes_) == 0);
}

void TcpEndpoint::Dial(const TcpEndpoint& other) {
  DialName(reinterpret_cast<const sockaddr*>(&other.name_), other.name_bytes_);
}

void TcpEndpoint::DialPort(std::uint16_t port) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  name.sin_port = htons(port);
  DialName(reinterpret_cast<const sockaddr*>(&name), sizeof(name));
}

std::uint16_t TcpEndpoint::port() const {
  return ntohs(reinterpret_cast<const sockaddr_in&>(name_).sin_port);
}

void TcpEndpoint::DialName(const sockaddr* name, socklen_t bytes) {
  connection_ = socket(name->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  Check(connect(connection_, name, bytes) == 0);
  NoDelay(connection_);
}

void TcpEndpoint::Accept() {
  connection_ = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  Check(connection_ >= 0);
  NoDelay(connection_);
}

void TcpEndpoint::Close() {
  const std::uint64_t one = 1;
  Check(write(stop_, &one, sizeof(one)) == sizeof(one));
  if (connection_ >= 0) shutdown(connection_, SHUT_RDWR);
}

void TcpEndpoint::Send(absl::string_view message) {
  const auto length = static_cast<std::uint32_t>(message.size());
  std::array<char, kLengthBytes> front;
  std::memcpy(front.data(), &length, kLengthBytes);
  std::array<iovec, 2> parts{
      iovec{front.data(), front.size()},
      iovec{const_cast<char*>(message.data()), message.size()}};
  msghdr header{};
  header.msg_iov = parts.data();
  header.msg_iovlen = parts.size();
  while (header.msg_iovlen > 0) {
    const ssize_t sent = sendmsg(connection_, &header, MSG_NOSIGNAL);
    if (sent < 0) return;  // the receiver ends
    auto left = static_cast<std::size_t>(sent);
    while (header.msg_iovlen > 0 && left >= header.msg_iov->iov_len) {
      left -= header.msg_iov->iov_len;
      ++header.msg_iov;
      --header.msg_iovlen;
    }
    if (header.msg_iovlen == 0) return;
    header.msg_iov->iov_base =
        static_cast<char*>(header.msg_iov->iov_base) + left;
    header.msg_iov->iov_len -= left;
  }
}

bool TcpEndpoint::Read(int fd, Stream* stream) {
  const std::size_t unread = stream->end - stream->begin;
  std::size_t wanted = kBufferBytes;
  if (unread >= kLengthBytes) {
    std::uint32_t length;
    std::memcpy(&length, stream->bytes.get() + stream->begin, kLengthBytes);
    wanted = std::max(wanted, kLengthBytes + length);
  }
  if (wanted > stream->capacity) {
    std::unique_ptr<char[]> larger(new char[wanted]);
    if (unread > 0)
      std::memcpy(larger.get(), stream->bytes.get() + stream->begin, unread);
    stream->bytes = std::move(larger);
    stream->capacity = wanted;
  } else if (stream->begin > 0) {
    std::memmove(stream->bytes.get(), stream->bytes.get() + stream->begin,
                 unread);
  }
  stream->begin = 0;
  stream->end = unread;
  const ssize_t got = recv(fd, stream->bytes.get() + stream->end,
                           stream->capacity - stream->end, 0);
  if (got <= 0) return false;
  stream->end += static_cast<std::size_t>(got);
  return true;
}

bool TcpEndpoint::Next(Stream* stream, absl::string_view* message) {
  const std::size_t unread = stream->end - stream->begin;
  if (unread < kLengthBytes) return false;
  const char* const at = stream->bytes.get() + stream->begin;
  std::uint32_t length;
  std::memcpy(&length, at, kLengthBytes);
  if (unread < kLengthBytes + length) return false;
  *message = absl::string_view(at + kLengthBytes, length);
  stream->begin += kLengthBytes + length;
  return true;
}

void TcpEndpoint::ReceiveAll(
    const std::function<void(absl::string_view)>& receive) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  Check(epoll >= 0);
  Watch(epoll, stop_);
  Watch(epoll, listener_);
  bool stopped = false;
  while (!stopped) {
    std::array<epoll_event, 64> events;
    const int count =
        epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == stop_) {
        stopped = true;
      } else if (fd == listener_) {
        const int accepted = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        Check(accepted >= 0);
        NoDelay(accepted);
        streams_[accepted];
        Watch(epoll, accepted);
      } else {
        Stream& stream = streams_[fd];
        if (!Read(fd, &stream)) epoll_ctl(epoll, EPOLL_CTL_DEL, fd, nullptr);
        absl::string_view message;
        while (Next(&stream, &message)) receive(message);
      }
    }
  }
  close(epoll);
}

absl::string_view TcpEndpoint::Receive() {
  absl::string_view message;
  while (!Next(&stream_, &message))
    if (!Read(connection_, &stream_)) return "";
  return message;
}

namespace {

class TcpFanout : public RawFanout {
 public:
  TcpFanout(Scheme scheme, int connections, RawReceiver receiver)
      : receiver_(std::move(receiver)) {
    for (int connection = 0; connection < connections; ++connection) {
      receivers_.push_back(std::make_unique<TcpEndpoint>());
      receivers_.back()->Bind(scheme);
      senders_.push_back(std::make_unique<TcpEndpoint>());
      senders_.back()->Dial(*receivers_.back());
    }
    for (int connection = 0; connection < connections; ++connection) {
      threads_.emplace_back([this, connection] {
        receivers_[static_cast<std::size_t>(connection)]->ReceiveAll(
            [this, connection](absl::string_view message) {
              receiver_(connection, message);
            });
      });
    }
  }
  ~TcpFanout() override {
    for (auto& receiver : receivers_) receiver->Close();
    for (std::thread& thread : threads_) thread.join();
  }

  char* Begin(std::size_t bytes) override {
    message_.resize(bytes);
    return &message_[0];
  }
  void Commit() override {
    for (auto& sender : senders_) sender->Send(message_);
  }
  void CommitTo(int connection) override {
    senders_[static_cast<std::size_t>(connection)]->Send(message_);
  }

 private:
  const RawReceiver receiver_;
  std::vector<std::unique_ptr<TcpEndpoint>> receivers_;
  std::vector<std::unique_ptr<TcpEndpoint>> senders_;
  std::vector<std::thread> threads_;
  std::string message_;
};

class TcpEcho : public RawEcho {
 public:
  explicit TcpEcho(std::size_t message_bytes) : message_(message_bytes, 'x') {
    far_.Bind(Scheme::kTcp);
    near_.Dial(far_);
    far_.Accept();
    thread_ = std::thread([this] {
      for (absl::string_view message; !(message = far_.Receive()).empty();)
        far_.Send(message);
    });
  }
  ~TcpEcho() override {
    far_.Close();
    thread_.join();
  }

  void RoundTrip() override {
    near_.Send(message_);
    CLUSTER_CHECK(!near_.Receive().empty(), "the echo ended");
  }

 private:
  const std::string message_;
  TcpEndpoint near_;
  TcpEndpoint far_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<RawFanout> NewTcpFanout(Scheme scheme, int connections,
                                        RawReceiver receiver) {
  return std::make_unique<TcpFanout>(scheme, connections, std::move(receiver));
}

std::unique_ptr<RawEcho> NewTcpEcho(std::size_t message_bytes) {
  return std::make_unique<TcpEcho>(message_bytes);
}

}  // namespace bench
}  // namespace cluster
