#include "tests/harness/proxied_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace cluster::internal {
namespace {

constexpr std::size_t kDrainBytes = 16u << 10;

std::size_t Other(std::size_t side) { return 1 - side; }

void SendAtOnce(int socket) {
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

std::size_t Recording::size() const {
  std::size_t bytes = 0;
  for (const Part& part : parts) bytes += part.bytes.size();
  return bytes;
}

ProxiedConnection::ProxiedConnection(int dialler, int target,
                                     ProxyFigures* figures)
    : figures_(figures),
      sockets_{dialler, target},
      pipes_{ProxyPipe(Way::kForward, figures),
             ProxyPipe(Way::kBackward, figures)} {
  for (int socket : sockets_) SendAtOnce(socket);
}

ProxiedConnection::ProxiedConnection(Recording script, int target,
                                     ProxyFigures* figures)
    : ProxiedConnection(-1, target, figures) {
  script_ = std::move(script);
  pipe(Way::kBackward).SwallowAll();
  FollowScript(Clock::now());
}

ProxiedConnection::~ProxiedConnection() {
  for (std::size_t side = 0; side < kSides; ++side) Reset(side);
}

void ProxiedConnection::Close(std::size_t side) {
  if (sockets_[side] >= 0) close(std::exchange(sockets_[side], -1));
}

void ProxiedConnection::Reset(std::size_t side) {
  const linger at_once{1, 0};
  setsockopt(sockets_[side], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  Close(side);
}

void ProxiedConnection::Cut(CutBy how) {
  if (state_ != State::kLive) return;
  ++figures_->cuts;
  state_ = State::kLeaving;
  for (std::size_t side = 0; side < kSides; ++side) {
    if (how == CutBy::kReset) {
      Reset(side);
    } else {
      shutdown(sockets_[side], SHUT_WR);
    }
  }
}

void ProxiedConnection::Lose(Side side) {
  if (state_ != State::kLive || OneSided()) return;
  const auto lost = static_cast<std::size_t>(side);
  Reset(lost);
  ended_[lost] = false;
  pipes_[Other(lost)].SwallowAll();
}

void ProxiedConnection::Watch(const NetworkConditions& conditions,
                              Clock::time_point now,
                              std::vector<pollfd>* watched) const {
  for (std::size_t side = 0; side < kSides; ++side) {
    short events = 0;
    const bool takes = state_ == State::kLeaving ||
                       (!ended_[side] && pipes_[side].CanTake(conditions));
    if (takes) events |= POLLIN;
    if (state_ == State::kLive && pipes_[Other(side)].GiveAt(conditions) <= now)
      events |= POLLOUT;
    // A watched socket wakes the loop when it ends, even without events.
    watched->push_back({events == 0 ? -1 : sockets_[side], events, 0});
  }
}

ProxiedConnection::Clock::time_point ProxiedConnection::WakeAt(
    const NetworkConditions& conditions, Clock::time_point now) const {
  Clock::time_point at = Clock::time_point::max();
  if (state_ == State::kLeaving) return at;
  for (const ProxyPipe& pipe : pipes_) {
    const Clock::time_point give_at = pipe.GiveAt(conditions);
    if (give_at > now) at = std::min(at, give_at);
  }
  return at;
}

void ProxiedConnection::Move(const std::array<short, kSides>& events,
                             const NetworkConditions& conditions,
                             Clock::time_point now) {
  for (std::size_t side = 0; side < kSides; ++side) {
    if (events[side] == 0 || sockets_[side] < 0) continue;
    if (state_ == State::kLeaving) {
      Drain(side);
      continue;
    }
    if (events[side] & ~POLLOUT) TakeFrom(side, conditions, now);
    if (state_ == State::kLive && (events[side] & ~POLLIN))
      GiveTo(side, conditions, now);
  }
  if (state_ != State::kLive) return;
  FollowScript(now);
  if (!conditions.stalled) PassEndsOn();
}

void ProxiedConnection::KeepRecord() {
  const std::string& recorded = pipe(Way::kForward).recorded();
  const std::size_t kept = recording_.size();
  if (kept == recorded.size()) return;
  const std::uint64_t heard = pipe(Way::kBackward).taken();
  std::vector<Recording::Part>& parts = recording_.parts;
  if (parts.empty() || parts.back().heard != heard)
    parts.push_back({heard, ""});
  parts.back().bytes += recorded.substr(kept);
}

void ProxiedConnection::FollowScript(Clock::time_point now) {
  while (script_said_ < script_.parts.size()) {
    Recording::Part& next = script_.parts[script_said_];
    if (pipe(Way::kBackward).taken() < next.heard) return;
    pipe(Way::kForward).Put(std::move(next.bytes), now);
    ++script_said_;
  }
}

void ProxiedConnection::TakeFrom(std::size_t side,
                                 const NetworkConditions& conditions,
                                 Clock::time_point now) {
  if (ended_[side]) return;
  const ProxyPipe::Result result =
      pipes_[side].Take(sockets_[side], now, conditions);
  KeepRecord();
  if (result == ProxyPipe::Result::kGoesOn) return;
  ended_[side] = true;
  if (result == ProxyPipe::Result::kBroken) broken_ = true;
}

void ProxiedConnection::GiveTo(std::size_t side,
                               const NetworkConditions& conditions,
                               Clock::time_point now) {
  const ProxyPipe::Result result =
      pipes_[Other(side)].Give(sockets_[side], now, conditions);
  if (result == ProxyPipe::Result::kLimit) {
    cut_awaited_ = false;
    Cut(limit_cut_);
  }
  if (result == ProxyPipe::Result::kBroken) broken_ = true;
}

void ProxiedConnection::Drain(std::size_t side) {
  char bytes[kDrainBytes];
  ssize_t got = 0;
  do {
    got = recv(sockets_[side], bytes, sizeof bytes, 0);
  } while (got > 0);
  if (got == 0 || (errno != EAGAIN && errno != EINTR)) Close(side);
}

void ProxiedConnection::PassEndsOn() {
  const bool kept_side_ended = OneSided() && (ended_[0] || ended_[1]);
  if (broken_ || kept_side_ended) {
    for (std::size_t side = 0; side < kSides; ++side) Reset(side);
    state_ = State::kLeaving;
    return;
  }
  for (std::size_t side = 0; side < kSides; ++side) {
    if (!ended_[side] || !pipes_[side].empty() || end_told_[side]) continue;
    shutdown(sockets_[Other(side)], SHUT_WR);
    end_told_[side] = true;
  }
  if (!end_told_[0] || !end_told_[1]) return;
  for (std::size_t side = 0; side < kSides; ++side) Close(side);
  state_ = State::kLeaving;
}

}  // namespace cluster::internal
