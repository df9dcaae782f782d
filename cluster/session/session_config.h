// SessionConfig: what a session is made with, and the constants of its protocol.
//
// A value. Times are of a monotonic clock, which the session never reads; its
// queue does, for envelopes that expire.

#ifndef CLUSTER_SESSION_SESSION_CONFIG_H_
#define CLUSTER_SESSION_SESSION_CONFIG_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "cluster/base/buffer_pool.h"
#include "cluster/base/clock.h"
#include "cluster/codec/codec.h"
#include "cluster/codec/frame_header.h"
#include "cluster/codec/hello.h"
#include "cluster/config.h"
#include "cluster/config/memory.h"
#include "cluster/envelope.h"
#include "cluster/session/memory_budget.h"

namespace cluster::internal {

// The least round trip of so long a time counts (flight_limit.h). A shorter time
// would drain the line more often; in a longer one the route may change.
inline constexpr absl::Duration kRttMemory = absl::Seconds(10);

struct SessionConfig : SessionLimits {
  int self_id = 0;
  int peer_id = 0;
  std::uint64_t incarnation = 0;  // of this process
  const Codec* codec = nullptr;
  // Where frames are built; one for all sessions of a server.
  std::shared_ptr<BufferPool> buffers = std::make_shared<BufferPool>();
  // The bound of what they hold; one for all sessions of a server.
  std::shared_ptr<MemoryBudget> memory = std::make_shared<MemoryBudget>();

  absl::Duration rtt_memory = kRttMemory;
  VersionRange versions{kFrameVersionMin, kFrameVersionMax};
  std::uint64_t features =
      kFeatureGroups | kFeatureStandstill | kFeatureLiveTimes;

  // Whether this server's application stands still; one for all its sessions.
  // After a change each should get a Tick.
  std::shared_ptr<std::atomic<bool>> stands_still =
      std::make_shared<std::atomic<bool>>(false);

  std::string cluster;
  std::string address;  // the own one, as the config has it

  // For envelopes that expire; read only where one may have.
  std::function<absl::Time()> clock = MonotonicNow;
};

// The limits and times of `config` for the session from `self_id` to `peer_id`.
SessionConfig MakeSessionConfig(const Config& config, int self_id, int peer_id);

// Copies the limits that a session and its queue take while they live.
void CopyLiveLimits(const SessionLimits& from, SessionLimits* to);

// The charge of a frame to the window of its receiver: its bytes, and the cost of
// keeping it. So many tiny frames cannot outgrow the bound. Both sides charge the
// same.
inline constexpr std::size_t kFrameChargeBytes = 256;
inline std::size_t FrameCharge(std::size_t body_bytes) {
  return body_bytes + kFrameChargeBytes;
}

// The largest frame that a session makes, with room to spare.
inline constexpr std::size_t kSessionFrameBytesMax = 17u << 20;

// A record larger than this travels in chunks of this size, each a frame, and
// is put together with one copy more. By default a payload of 1 MiB is not cut.
// Four chunks may be in flight. While one travels, another is summed and
// acknowledged; more make up for a late wake-up. An urgent envelope waits for
// those of the bulk lane, so they are small.
inline std::size_t ChunkBytes(std::size_t frame_bytes,
                              std::size_t inflight_bytes,
                              Lane lane = Lane::kNormal) {
  constexpr std::size_t kFieldsBytes = 4096;
  const std::size_t wanted =
      lane == Lane::kBulk
          ? 2 * frame_bytes
          : std::min<std::size_t>(16 * frame_bytes + kFieldsBytes, 16u << 20);
  return std::max(frame_bytes, std::min(wanted, inflight_bytes / 4)) -
         kFrameChargeBytes;
}

// The bulk lane may have this in flight. It is room for four chunks by default,
// and for two with any limits.
inline std::size_t BulkInFlight(std::size_t inflight_bytes,
                                std::size_t charge) {
  return std::clamp(2 * charge, inflight_bytes / 8, inflight_bytes / 2);
}

// A payload larger than this has a frame of its own, since another like it would
// not fit in. It is copied before any lock is taken.
inline std::size_t LoneBytes(std::size_t frame_bytes) {
  return frame_bytes / 2;
}

// While sessions are busy, broadcasts of this lane gather outside their queues.
// Urgent ones should not wait, and those of the bulk lane are large.
inline constexpr Lane kGatheringLane = Lane::kNormal;
// The longest payload that gathers.
inline std::size_t GatheredBytesMax(const SessionConfig& config) {
  return std::min(LoneBytes(config.frame_bytes), config.payload_bytes_max);
}
inline bool MayGather(const EnvelopeView& envelope,
                      std::size_t gathered_bytes_max) {
  return envelope.lane == kGatheringLane &&
         envelope.payload.size() <= gathered_bytes_max;
}

// The bytes of a full batch. Where the oldest batch is dropped, at most an eighth
// of the queue.
inline std::size_t BatchBytes(const SessionLimits& config) {
  return config.overflow == Overflow::kDropOldest
             ? std::min(config.frame_bytes, config.queue_bytes_max / 8)
             : config.frame_bytes;
}

// A lane sends frames that are not full only while fewer than this many of its
// frames are not received. Once envelopes have gathered in the last one, it is
// one: a second small frame would follow each acknowledgement.
inline constexpr int kEagerFrames = 2;

// An acknowledgement that nobody asked for waits this long for a frame to ride
// on.
inline constexpr absl::Duration kAckDelay = absl::Milliseconds(20);

// Frames in flight for this long are asked after: at first, and at most after
// doubling. Well above kAckDelay.
inline constexpr absl::Duration kProbeTimeout = absl::Milliseconds(200);
inline constexpr absl::Duration kProbeTimeoutMax = absl::Seconds(2);

// A gap that the peer shows again, with nothing received since it was answered,
// is answered again after this long, at most after doubling.
inline constexpr absl::Duration kGapInterval = absl::Milliseconds(50);
inline constexpr absl::Duration kGapIntervalMax = kProbeTimeoutMax;

// Refusals of a peer's hellos are at least this far apart.
inline constexpr absl::Duration kRefusalInterval = absl::Seconds(1);

// A peer that is up, but not connected, is down once its host has refused attempts
// for this long and nothing is heard of it. Longer than a listener takes to bind
// anew.
inline constexpr absl::Duration kNobodyListens = absl::Milliseconds(200);

// Two processes have one id if each is heard again, after the other, at least this
// much later. A frame that was overtaken is not as late.
inline constexpr absl::Duration kLateFrameMax = absl::Seconds(1);
inline constexpr absl::Duration kOtherForgottenMin = absl::Seconds(4);

// The shortest interval of heartbeats for a peer that is impatient.
inline constexpr absl::Duration kHeartbeatMin = absl::Milliseconds(10);

// For this long after a peer came up, its word that it does not hear this server
// may be older than that.
inline constexpr absl::Duration kHearingGrace = absl::Milliseconds(200);

// At most one round trip in this time is measured.
inline constexpr absl::Duration kProbeIntervalMin = absl::Milliseconds(50);

// A hello that is not answered is said again after this long, at most after
// doubling.
inline constexpr absl::Duration kHelloInterval = absl::Milliseconds(50);
inline constexpr absl::Duration kHelloIntervalMax = absl::Seconds(1);

}  // namespace cluster::internal

#endif  // CLUSTER_SESSION_SESSION_CONFIG_H_
