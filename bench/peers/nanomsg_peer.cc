#include "bench/peers/nanomsg_peer.h"

#include <arpa/inet.h>
#include <nanomsg/nn.h>
#include <nanomsg/pair.h>
#include <nanomsg/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/base/check.h"

namespace cluster {
namespace bench {
namespace {

constexpr int kSocketBytes = 4 << 20;

void Check(bool good) { CLUSTER_CHECK(good, nn_strerror(nn_errno())); }

// A port that was free a moment ago: nanomsg cannot tell which port it bound.
int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t bytes = sizeof(name);
  auto* const address = reinterpret_cast<sockaddr*>(&name);
  CLUSTER_CHECK(fd >= 0 && bind(fd, address, bytes) == 0 &&
                    getsockname(fd, address, &bytes) == 0,
                "no free port");
  close(fd);
  return ntohs(name.sin_port);
}

enum class Tuning { kThroughput, kLatency };

class Socket {
 public:
  explicit Socket(Tuning tuning) : socket_(nn_socket(AF_SP, NN_PAIR)) {
    Check(socket_ >= 0);
    Set(NN_SOL_SOCKET, NN_SNDBUF, kSocketBytes);
    Set(NN_SOL_SOCKET, NN_RCVBUF, kSocketBytes);
    Set(NN_SOL_SOCKET, NN_RCVMAXSIZE, -1);
    Set(NN_TCP, NN_TCP_NODELAY, tuning == Tuning::kLatency ? 1 : 0);
  }
  ~Socket() { Close(); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  void Bind() {
    do {
      address_ = absl::StrCat("tcp://127.0.0.1:", FreePort());
    } while (nn_bind(socket_, address_.c_str()) < 0 &&
             nn_errno() == EADDRINUSE);
  }
  void Dial(const Socket& other) {
    Check(nn_connect(socket_, other.address_.c_str()) >= 0);
  }
  // Takes the message.
  void Send(void* message) {
    Check(nn_send(socket_, &message, NN_MSG, 0) >= 0);
  }
  // Null once the socket is closed. nn_freemsg it.
  void* Receive(std::size_t* bytes) {
    void* message = nullptr;
    const int got = nn_recv(socket_, &message, NN_MSG, 0);
    if (got < 0) return nullptr;
    *bytes = static_cast<std::size_t>(got);
    return message;
  }
  // Ends a Receive in another thread.
  void Close() {
    if (!closed_) nn_close(socket_);
    closed_ = true;
  }

 private:
  void Set(int level, int option, int value) {
    Check(nn_setsockopt(socket_, level, option, &value, sizeof(value)) == 0);
  }

  const int socket_;
  bool closed_ = false;
  std::string address_;
};

void* NewMessage(std::size_t bytes) {
  void* const message = nn_allocmsg(bytes, 0);
  Check(message != nullptr);
  return message;
}

class NanomsgFanout : public RawFanout {
 public:
  NanomsgFanout(int connections, RawReceiver receiver)
      : receiver_(std::move(receiver)) {
    for (int connection = 0; connection < connections; ++connection) {
      receivers_.push_back(std::make_unique<Socket>(Tuning::kThroughput));
      receivers_.back()->Bind();
      senders_.push_back(std::make_unique<Socket>(Tuning::kThroughput));
      senders_.back()->Dial(*receivers_.back());
      threads_.emplace_back(
          [this, connection, socket = receivers_.back().get()] {
            std::size_t bytes = 0;
            while (void* const message = socket->Receive(&bytes)) {
              receiver_(connection, {static_cast<char*>(message), bytes});
              nn_freemsg(message);
            }
          });
    }
  }
  ~NanomsgFanout() override {
    for (auto& receiver : receivers_) receiver->Close();
    for (std::thread& thread : threads_) thread.join();
  }

  char* Begin(std::size_t bytes) override {
    message_ = NewMessage(bytes);
    bytes_ = bytes;
    return static_cast<char*>(message_);
  }

  // Messages cannot be shared.
  void Commit() override {
    for (std::size_t i = 0; i + 1 < senders_.size(); ++i) {
      void* const copy = NewMessage(bytes_);
      std::memcpy(copy, message_, bytes_);
      senders_[i]->Send(copy);
    }
    senders_.back()->Send(message_);
  }

 private:
  const RawReceiver receiver_;
  std::vector<std::unique_ptr<Socket>> receivers_;
  std::vector<std::unique_ptr<Socket>> senders_;
  std::vector<std::thread> threads_;
  void* message_ = nullptr;
  std::size_t bytes_ = 0;
};

class NanomsgEcho : public RawEcho {
 public:
  explicit NanomsgEcho(std::size_t message_bytes)
      : message_bytes_(message_bytes) {
    far_.Bind();
    near_.Dial(far_);
    thread_ = std::thread([this] {
      std::size_t bytes = 0;
      while (void* const message = far_.Receive(&bytes)) far_.Send(message);
    });
  }
  ~NanomsgEcho() override {
    far_.Close();
    thread_.join();
  }

  void RoundTrip() override {
    near_.Send(NewMessage(message_bytes_));
    std::size_t bytes = 0;
    void* const message = near_.Receive(&bytes);
    Check(message != nullptr && bytes == message_bytes_);
    nn_freemsg(message);
  }

 private:
  const std::size_t message_bytes_;
  Socket near_{Tuning::kLatency};
  Socket far_{Tuning::kLatency};
  std::thread thread_;
};

}  // namespace

std::unique_ptr<RawFanout> NewNanomsgFanout(int connections,
                                            std::size_t /*message_bytes*/,
                                            RawReceiver receiver) {
  return std::make_unique<NanomsgFanout>(connections, std::move(receiver));
}

std::unique_ptr<RawEcho> NewNanomsgEcho(std::size_t message_bytes) {
  return std::make_unique<NanomsgEcho>(message_bytes);
}

}  // namespace bench
}  // namespace cluster
