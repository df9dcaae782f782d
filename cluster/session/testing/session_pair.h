// SessionPair: two sessions of one test, joined by wires that the test holds.
//
// Ends 1 and 2 are in one thread with a virtual clock. Frames move when the test
// says so, whole and as bytes, so every frame passes through its encoding and
// decoding. A frame that does not decode aborts.
//
//   SessionPair pair;
//   pair.Connect();
//   pair.one.Append("hello");
//   pair.Exchange();
//   EXPECT_EQ(pair.two.Payloads(), std::vector<std::string>{"hello"});

#ifndef CLUSTER_SESSION_TESTING_SESSION_PAIR_H_
#define CLUSTER_SESSION_TESTING_SESSION_PAIR_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "cluster/base/buffer_pool.h"
#include "cluster/session/session.h"

namespace cluster::internal {

// Of all tests of the process.
BufferPool* TestBuffers();

// Small limits, so that tests reach them; the binary codec.
SessionConfig TestSessionConfig(int self_id, int peer_id);

// A frame as its slices' concatenation.
std::string BytesOf(const Frame& frame);
// The header and the body of a frame in bytes, which must be a good one.
FrameHeader HeaderOf(const std::string& frame);
// Of a batch that is closed, and so has its sum.
std::vector<std::string> PayloadsOf(const SessionConfig& config,
                                    const Batch& batch);
// Changes a frame's header and makes its checksum right again.
std::string Forged(std::string frame,
                   const std::function<void(FrameHeader*)>& change);

// One end: a session, the events that it raised, and an application.
class SessionEnd final : public SessionSink {
 public:
  SessionEnd(const SessionConfig& config, const absl::Time* now);

  // As another process, or as the same one with a new session.
  void Restart(std::uint64_t incarnation);

  SendOutcome Append(const std::string& payload, Lane lane = Lane::kNormal);
  SendOutcome Append(const Envelope& envelope);
  SendOutcome AppendWith(const std::string& payload,
                         const RecordOptions& options);
  void Hear(const std::string& frame);
  // All that the session wants to send now. With `limit`, no more than that.
  std::vector<std::string> Speak(int limit = 1 << 20);
  // The application takes the oldest arrivals; all of them by default.
  void Consume(int arrivals = 1 << 20);

  std::vector<std::string> Payloads() const;
  std::string Events() const;  // "up down restarted up"
  int Pending() const { return static_cast<int>(arrivals_.size()); }
  PeerStats Stats() const { return session->Stats(); }

  SessionConfig config;
  std::unique_ptr<SendQueue> queue;
  std::unique_ptr<Session> session;
  bool wanted = false;   // the last Append said so
  bool consumes = true;  // each arrival at once
  std::vector<Envelope> taken;
  std::vector<PeerEvent> events;
  std::uint64_t frames_heard = 0;

  void OnArrival(Arrival arrival) override;
  void OnSessionEvent(PeerEvent event) override;

 private:
  void MakeSession();

  const absl::Time* const now_;
  std::mt19937_64 random_;
  std::uint64_t sequence_ = 0;
  std::deque<Arrival> arrivals_;
};

class SessionPair {
 public:
  using Change = std::function<void(SessionConfig*)>;

  // `change` is applied to both ends' configs.
  explicit SessionPair(const Change& change = nullptr);

  // Connects both and lets them find a session and fall silent.
  void Connect();
  // Makes `end` a new process or, with its old incarnation, a new session of the
  // same one; both find a session again.
  void Reborn(SessionEnd* end, std::uint64_t incarnation);
  // Moves frames both ways until nobody has any.
  void Exchange();
  // Lets time pass in steps of 10 ms, with ticks and exchanges.
  void Advance(absl::Duration duration);

  absl::Time now = absl::UnixEpoch();
  SessionEnd one;
  SessionEnd two;
  bool one_is_heard = true;  // else its frames vanish on their way
  bool two_is_heard = true;
};

// Every account of an end: accepted == acknowledged + queued + in flight +
// dropped.
bool AddsUp(const PeerStats& stats);

}  // namespace cluster::internal

#endif  // CLUSTER_SESSION_TESTING_SESSION_PAIR_H_
