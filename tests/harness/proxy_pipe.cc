#include "tests/harness/proxy_pipe.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace cluster::internal {
namespace {

constexpr std::size_t kReadBytes = 16u << 10;

// A paced pipe gives so many times a second, or makes up for it later.
constexpr std::uint64_t kPaceHz = 100;
constexpr std::chrono::milliseconds kPaceLateMost{1000 / kPaceHz};

bool WouldBlock() { return errno == EAGAIN || errno == EINTR; }

}  // namespace

void ProxyPipe::Put(std::string bytes, Clock::time_point due) {
  buffered_ += bytes.size();
  pieces_.push_back({std::move(bytes), due});
}

void ProxyPipe::SwallowAll() {
  swallows_all_ = true;
  pieces_.clear();
  buffered_ = 0;
}

bool ProxyPipe::CanTake(const NetworkConditions& conditions) const {
  return buffered_ < conditions.buffer_bytes || Swallows(conditions);
}

ProxyPipe::Result ProxyPipe::Take(int source, Clock::time_point now,
                                  const NetworkConditions& conditions) {
  char bytes[kReadBytes];
  while (CanTake(conditions)) {
    const ssize_t got = recv(source, bytes, sizeof bytes, 0);
    if (got == 0) return Result::kEnded;
    if (got < 0) return WouldBlock() ? Result::kGoesOn : Result::kBroken;
    const auto count = static_cast<std::size_t>(got);
    taken_ += count;
    figures_->taken[index_] += count;
    if (recorded_.size() < record_bytes_max_) {
      recorded_.append(bytes,
                       std::min(count, record_bytes_max_ - recorded_.size()));
    }
    if (Swallows(conditions)) {
      has_hole_ = has_hole_ || !swallows_all_;
      continue;
    }
    Put(std::string(bytes, count),
        now + absl::ToChronoMicroseconds(conditions.delay));
  }
  return Result::kGoesOn;
}

ProxyPipe::Clock::time_point ProxyPipe::GiveAt(
    const NetworkConditions& conditions) const {
  if (pieces_.empty() || conditions.stalled) return Clock::time_point::max();
  return conditions.bytes_per_second == 0
             ? pieces_.front().due
             : std::max(pieces_.front().due, paced_until_);
}

ProxyPipe::Result ProxyPipe::Give(int sink, Clock::time_point now,
                                  const NetworkConditions& conditions) {
  while (GiveAt(conditions) <= now) {
    std::string& bytes = pieces_.front().bytes;
    std::uint64_t most = std::min<std::uint64_t>(bytes.size(), limit_ - given_);
    const std::uint64_t rate = conditions.bytes_per_second;
    if (rate > 0)
      most = std::min(most, std::max<std::uint64_t>(1, rate / kPaceHz));
    const ssize_t put = send(sink, bytes.data(), most, MSG_NOSIGNAL);
    if (put < 0) return WouldBlock() ? Result::kGoesOn : Result::kBroken;
    const auto count = static_cast<std::uint64_t>(put);
    if (rate > 0)
      paced_until_ = std::max(paced_until_, now - kPaceLateMost) +
                     std::chrono::nanoseconds(count * 1000000000 / rate);
    given_ += count;
    buffered_ -= count;
    figures_->given[index_] += count;
    bytes.erase(0, count);
    if (bytes.empty()) pieces_.pop_front();
    if (given_ == limit_) return Result::kLimit;
  }
  return Result::kGoesOn;
}

}  // namespace cluster::internal
