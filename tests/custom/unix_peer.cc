#include "tests/custom/unix_peer.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <random>

namespace cluster {
namespace {

constexpr std::size_t kQueueBytesMax = 4u << 20;
constexpr std::chrono::milliseconds kDelayLeast{5};
constexpr std::chrono::milliseconds kDelayMost{200};

// Half of the delay, and up to as much again.
std::chrono::milliseconds Jittered(std::chrono::milliseconds delay) {
  static thread_local std::minstd_rand random{std::random_device()()};
  return delay / 2 + std::chrono::milliseconds(
                         random() % static_cast<unsigned>(delay.count()));
}

}  // namespace

OwnedFd UnixPeer::MoveTo(std::string path, std::uint64_t generation) {
  generation_ = generation;
  path_ = std::move(path);
  dial_at_ = Clock::time_point();
  delay_ = kDelayLeast;
  return Drop();
}

SendResult UnixPeer::Push(const Frame& frame) {
  const std::size_t bytes = frame.size();
  if (!queue_.empty() && queue_bytes_ + bytes > kQueueBytesMax) {
    ++owed_;
    return SendResult::kBackPressured;
  }
  const auto length = static_cast<std::uint32_t>(bytes);
  std::string message(sizeof(length), '\0');
  std::memcpy(&message[0], &length, sizeof(length));
  message.reserve(sizeof(length) + bytes);
  for (const Slice& slice : frame.slices)
    message.append(slice.bytes.data(), slice.bytes.size());
  queue_bytes_ += message.size();
  queue_.push_back(std::move(message));
  return SendResult::kSent;
}

int UnixPeer::TakeWritables() {
  return queue_bytes_ <= kQueueBytesMax / 2 ? std::exchange(owed_, 0) : 0;
}

std::string UnixPeer::Dial(Clock::time_point now) {
  absl::StatusOr<OwnedFd> fd = ConnectTo(path_);
  if (fd.ok()) {
    fd_ = *std::move(fd);
    delay_ = kDelayLeast;
    return "";
  }
  dial_at_ = now + Jittered(delay_);
  delay_ = std::min(2 * delay_, kDelayMost);
  return std::string(fd.status().message());
}

std::string UnixPeer::Write() {
  while (!queue_.empty()) {
    const std::string& front = queue_.front();
    const ssize_t sent =
        send(fd_.get(), front.data() + written_bytes_,
             front.size() - written_bytes_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return errno == EAGAIN ? "" : std::strerror(errno);
    written_bytes_ += static_cast<std::size_t>(sent);
    if (written_bytes_ < front.size()) continue;
    queue_bytes_ -= front.size();
    written_bytes_ = 0;
    queue_.pop_front();
  }
  return "";
}

bool UnixPeer::HasEnded() const {
  char byte;
  const ssize_t got = recv(fd_.get(), &byte, 1, MSG_DONTWAIT);
  return got >= 0 || errno != EAGAIN;
}

// A peer that cannot bear this frame would close the next connection too.
OwnedFd UnixPeer::Drop() {
  if (written_bytes_ > 0) {
    queue_bytes_ -= queue_.front().size();
    queue_.pop_front();
    written_bytes_ = 0;
  }
  return std::move(fd_);
}

}  // namespace cluster
