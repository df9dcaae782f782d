#include "tests/security/hostile_crowd.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "cluster/base/check.h"
#include "cluster/transport/address.h"

namespace cluster::internal {
namespace {

// How soon a stranger dials again after the server closed its connection.
constexpr std::chrono::milliseconds kPause{100};
constexpr std::chrono::seconds kPatience{60};

// Nothing half of the time; else the beginning of HTTP, ZMTP, TLS or no
// protocol.
std::vector<std::string> Garbage() {
  std::string greeting(64, '\0');
  greeting[0] = '\xff';
  greeting[9] = '\x7f';
  greeting[10] = 3;
  std::string curve = greeting;
  curve.replace(12, 5, "CURVE");
  std::string plain = greeting;
  plain.replace(12, 4, "NULL");
  return {"",
          std::string(1000, '\xff'),
          "",
          "GET / HTTP/1.1\r\n\r\n",
          "",
          curve + std::string("\x04\xc8\x05HELLO", 8) + std::string(192, 'x'),
          "",
          plain,
          "",
          std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11) +
              std::string(508, '\x42')};
}

}  // namespace

HostileCrowd::HostileCrowd(std::vector<std::string> addresses,
                           int connections) {
  const std::vector<std::string> garbage = Garbage();
  for (int i = 0; i < connections; ++i) {
    const auto index = static_cast<std::size_t>(i);
    Stranger stranger;
    stranger.address = addresses[index % addresses.size()];
    stranger.says = garbage[index / addresses.size() % garbage.size()];
    strangers_.push_back(std::move(stranger));
  }
  thread_ = std::thread([this] { Run(); });
}

HostileCrowd::~HostileCrowd() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
  for (const Stranger& stranger : strangers_)
    if (stranger.fd >= 0) close(stranger.fd);
}

void HostileCrowd::Dial(Stranger* stranger) {
  const absl::StatusOr<Address> address = ParseAddress(stranger->address);
  CLUSTER_CHECK(address.ok(), "an address of 127/8");
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(address->port);
  inet_pton(AF_INET, address->host.c_str(), &name.sin_addr);
  stranger->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (stranger->fd < 0) return;
  if (connect(stranger->fd, reinterpret_cast<const sockaddr*>(&name),
              sizeof(name)) != 0) {
    close(std::exchange(stranger->fd, -1));
    return;
  }
  {
    MutexLock lock(&mutex_);
    ++connections_;
    changed_.NotifyAll();
  }
  send(stranger->fd, stranger->says.data(), stranger->says.size(),
       MSG_NOSIGNAL | MSG_DONTWAIT);
}

void HostileCrowd::Run() {
  MutexLock lock(&mutex_);
  while (!stopping_) {
    lock.Unlock();
    for (Stranger& stranger : strangers_)
      if (stranger.fd < 0) Dial(&stranger);
    lock.Lock();
    changed_.WaitFor(&mutex_, kPause, [this] { return stopping_; });
    lock.Unlock();
    LookWhoIsClosed();
    lock.Lock();
  }
}

void HostileCrowd::LookWhoIsClosed() {
  for (Stranger& stranger : strangers_) {
    if (stranger.fd < 0) continue;
    char answer[4096];
    const ssize_t got = recv(stranger.fd, answer, sizeof(answer), MSG_DONTWAIT);
    const bool open = got > 0 || (got < 0 && errno == EAGAIN);
    if (!open) close(std::exchange(stranger.fd, -1));
  }
}

bool HostileCrowd::WaitForConnections(long count) {
  MutexLock lock(&mutex_);
  return changed_.WaitFor(&mutex_, kPatience,
                          [&] { return connections_ >= count; });
}

}  // namespace cluster::internal
