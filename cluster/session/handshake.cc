#include "cluster/session/handshake.h"

#include <algorithm>
#include <utility>

namespace cluster::internal {
namespace {

// Longer than anybody waits.
constexpr std::uint32_t kMillisecondsMax = 24 * 60 * 60 * 1000;

std::uint32_t Milliseconds(absl::Duration duration) {
  const std::int64_t milliseconds = absl::ToInt64Milliseconds(duration);
  return static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(milliseconds, 1, kMillisecondsMax));
}

}  // namespace

Handshake::Handshake(const SessionConfig& config,
                     std::function<std::uint64_t()> random)
    : config_(config),
      random_(std::move(random)),
      epoch_(FreshRandom()),
      nonce_(FreshRandom()) {}

// Zero means "none" on the wire.
std::uint64_t Handshake::FreshRandom() {
  std::uint64_t value = random_();
  while (value == 0) value = random_();
  return value;
}

// A larger window would let the peer decide how much of this server's memory
// holds what it has not consumed.
Hello Handshake::Clamped(Hello hello) const {
  hello.window_bytes =
      std::min<std::uint64_t>(hello.window_bytes, config_.window_bytes);
  hello.frame_bytes_max =
      std::min<std::uint64_t>(hello.frame_bytes_max, kSessionFrameBytesMax);
  hello.payload_bytes_max = std::min<std::uint64_t>(hello.payload_bytes_max,
                                                    config_.payload_bytes_max);
  hello.heartbeat_ms = std::min(hello.heartbeat_ms, kMillisecondsMax);
  hello.peer_timeout_ms = std::min(hello.peer_timeout_ms, kMillisecondsMax);
  return hello;
}

HelloResult Handshake::Receive(const Hello& hello, std::uint64_t session,
                               absl::Time now) {
  if (hello.cluster != config_.cluster) return HelloResult::kWrongCluster;
  const std::uint8_t version =
      std::min(hello.versions.max, config_.versions.max);
  if (version < std::max(hello.versions.min, config_.versions.min))
    return HelloResult::kNoCommonVersion;
  if (hello.window_bytes == 0 || hello.frame_bytes_max == 0 ||
      hello.payload_bytes_max == 0) {
    return HelloResult::kIncomplete;
  }
  heard_nonce_ = hello.nonce;
  heard_epoch_ = hello.epoch;

  HelloResult result = HelloResult::kHeard;
  round_trip_ = absl::nullopt;
  if (hello.echo_nonce == nonce_ && hello.echo_epoch == epoch_ &&
      hello.epoch != epoch_) {
    nonce_ = FreshRandom();
    const std::uint64_t agreed = epoch_ ^ hello.epoch;
    if (agreed == session_) {
      result = HelloResult::kSame;
      if (challenging_ && challenged_at_ <= now)
        round_trip_ = now - challenged_at_;
    } else {
      result = peer_incarnation_ == 0 ? HelloResult::kFirst
               : peer_incarnation_ == hello.incarnation
                   ? HelloResult::kRenewed
                   : HelloResult::kRestarted;
      session_ = agreed;
      version_ = version;
      features_ = hello.features & config_.features;
      peer_incarnation_ = hello.incarnation;
    }
    peer_ = Clamped(hello);
    if (GoesByOurTimes(hello)) telling_times_ = false;
    if (!telling_times_ || !Has(kFeatureLiveTimes)) {
      challenging_ = false;
      greet_at_ = absl::InfiniteFuture();
      interval_ = kHelloInterval;
    } else if (!challenging_) {
      Challenge(now);
    } else {
      challenged_at_ = absl::InfiniteFuture();  // the next ones measure nothing
    }
  }
  // The peer is where we are, or it must hear our nonce to get there.
  if (session != session_ || session_ == 0) {
    reply_due_ = true;
    // A nonce that was not echoed yet is progress and answered at once.
    if (echoed_nonce_ != hello.nonce)
      reply_after_ = std::min(reply_after_, now);
  }
  return result;
}

void Handshake::Doubt() { reply_due_ = true; }

void Handshake::Challenge(absl::Time now) {
  nonce_ = FreshRandom();
  challenging_ = true;
  challenge_said_ = false;
  challenged_at_ = absl::InfiniteFuture();
  greet_at_ = now;
  interval_ = kHelloInterval;
}

void Handshake::TellTimes(absl::Time now) {
  telling_times_ = true;
  if (established() && Has(kFeatureLiveTimes)) Challenge(now);
}

bool Handshake::GoesByOurTimes(const Hello& hello) const {
  return hello.your_heartbeat_ms == Milliseconds(config_.heartbeat) &&
         hello.your_peer_timeout_ms == Milliseconds(config_.peer_timeout);
}

void Handshake::Break() {
  session_ = 0;
  challenging_ = false;
  epoch_ = FreshRandom();
  nonce_ = FreshRandom();
  reply_due_ = true;
}

void Handshake::Greet(absl::Time now) {
  if (established() && !challenging_) return;
  greet_at_ = now;
  interval_ = kHelloInterval;
}

bool Handshake::Due(absl::Time now) const {
  return now >= greet_at_ || (reply_due_ && now >= reply_after_);
}

Hello Handshake::Say(absl::Time now) {
  reply_due_ = false;
  reply_after_ = now + kHelloInterval;
  echoed_nonce_ = heard_nonce_;
  if (challenging_ && !challenge_said_) {
    challenged_at_ = now;
    challenge_said_ = true;
  } else if (now >= greet_at_) {
    challenged_at_ = absl::InfiniteFuture();  // the first one may be lost
  }
  if (!established() || challenging_) {
    greet_at_ = now + interval_;
    interval_ = std::min(2 * interval_, kHelloIntervalMax);
  }
  Hello hello;
  hello.versions = config_.versions;
  hello.features = config_.features;
  hello.incarnation = config_.incarnation;
  hello.epoch = epoch_;
  hello.nonce = nonce_;
  hello.echo_nonce = heard_nonce_;
  hello.echo_epoch = heard_epoch_;
  hello.window_bytes = config_.window_bytes;
  hello.frame_bytes_max = kSessionFrameBytesMax;
  hello.payload_bytes_max = config_.payload_bytes_max;
  hello.codec = config_.codec->Id();
  hello.cluster = config_.cluster;
  hello.address = config_.address;
  hello.heartbeat_ms = Milliseconds(config_.heartbeat);
  hello.peer_timeout_ms = Milliseconds(config_.peer_timeout);
  if (established() && Has(kFeatureLiveTimes)) {
    hello.your_heartbeat_ms = peer_.heartbeat_ms;
    hello.your_peer_timeout_ms = peer_.peer_timeout_ms;
  }
  return hello;
}

}  // namespace cluster::internal
