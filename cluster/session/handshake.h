// Handshake: how two servers agree on a session, and on nothing that is old.
//
// Each side has a random epoch (new whenever it (re-)adds the peer) and a nonce.
// A hello has both, and echoes the last nonce and epoch that its sender heard. It
// makes a session only if it echoes the receiver's present nonce and epoch. So
// its sender made it after that nonce was drawn, and has heard it. A nonce that
// won once is replaced. Replays, duplicates and leftovers of half-open
// connections echo something older and change nothing. The session's name is the
// exclusive or of the two epochs.
//
// Every frame header names its sender's session. A hello that names another one
// than ours gets a hello back. So both sides converge, whatever was lost. A
// challenge uses that: its hello names no session, and has a fresh nonce.
//
//   A                                         B
//   hello nonce=a            ------------->             (knows a)
//         (proven: B is new) <-------------   hello nonce=b echo=a
//   hello nonce=a' echo=b    ------------->             (proven)
//
// A session has the highest version that both sides speak, and the features that
// both have. The limits that a hello claims are clamped to our own, so that no
// peer decides how much is kept for it. Not thread-safe.

#ifndef CLUSTER_SESSION_HANDSHAKE_H_
#define CLUSTER_SESSION_HANDSHAKE_H_

#include <cstdint>
#include <functional>

#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "cluster/codec/hello.h"
#include "cluster/session/session_config.h"

namespace cluster::internal {

enum class HelloResult {
  kHeard,      // learned the peer's nonce, or nothing; no session came or went
  kSame,       // the session that is there already
  kFirst,      // the first session with this peer
  kRenewed,    // another session with the same life of the peer
  kRestarted,  // a session with another life of the peer
  // Refused:
  kWrongCluster,     // not of our cluster
  kNoCommonVersion,  // no version that we speak
  kIncomplete,       // it lacks what a session of the common version needs
};

class Handshake {
 public:
  Handshake(const SessionConfig& config, std::function<std::uint64_t()> random);

  // A hello frame arrived, `session` is its header's.
  HelloResult Receive(const Hello& hello, std::uint64_t session,
                      absl::Time now);

  // Whether `echo` is the nonce of our last hellos, so that the peer has heard one.
  bool Echoes(std::uint64_t echo) const { return echo == nonce_; }

  // A frame of another session than ours arrived: the peer should hear from us.
  void Doubt();

  // Asks the peer to echo a nonce that is drawn now, until it has done so (kSame).
  // So it lives and hears this server now, however old its other frames are.
  void Challenge(absl::Time now);

  // From a challenge to the hello that answered it: what the last Receive measured
  // (kSame). None where the hello may have answered a repeated challenge.
  absl::optional<absl::Duration> round_trip() const { return round_trip_; }
  bool challenging() const { return challenging_; }
  // The own times have changed: challenges the peer until it says that it goes by
  // them. Without kFeatureLiveTimes the next session does.
  void TellTimes(absl::Time now);
  // Whether the peer has not said so yet.
  bool telling_times() const { return telling_times_; }

  // Gives up the session; a new epoch, so that no frame of it is ever taken
  // again.
  void Break();

  // The connection is new: greet at once.
  void Greet(absl::Time now);

  // Whether a hello is due now. Say makes it; without a session the next one is
  // due later.
  bool Due(absl::Time now) const;
  // Without a clock: false means that no hello is due, whatever the time is.
  bool MayBeDue() const {
    return reply_due_ || greet_at_ != absl::InfiniteFuture();
  }
  Hello Say(absl::Time now);

  bool established() const { return session_ != 0; }
  std::uint64_t session() const { return session_; }
  // For the header of a hello. Naming none, it draws an answer.
  std::uint64_t session_of_hello() const { return challenging_ ? 0 : session_; }
  // Of the session. Meaningful while established.
  std::uint8_t version() const { return version_; }
  std::uint64_t features() const { return features_; }
  // The hello that won, its limits clamped to our own. Meaningful while
  // established.
  const Hello& peer() const { return peer_; }

 private:
  std::uint64_t FreshRandom();
  Hello Clamped(Hello hello) const;
  bool Has(std::uint64_t feature) const { return (features_ & feature) != 0; }
  bool GoesByOurTimes(const Hello& hello) const;

  const SessionConfig& config_;
  const std::function<std::uint64_t()> random_;
  std::uint64_t epoch_;
  std::uint64_t nonce_;
  std::uint64_t session_ = 0;
  std::uint8_t version_ = 0;
  std::uint64_t features_ = 0;
  Hello peer_;  // of the hello that won
  std::uint64_t peer_incarnation_ =
      0;                           // of the last session, 0 before the first
  std::uint64_t heard_nonce_ = 0;  // of the last hello heard
  std::uint64_t heard_epoch_ = 0;
  std::uint64_t echoed_nonce_ = 0;  // the last one that we echoed
  bool reply_due_ = false;
  bool challenging_ = false;
  // When the challenge was said; infinite: not yet, or more than once.
  absl::Time challenged_at_ = absl::InfiniteFuture();
  bool challenge_said_ = false;
  absl::optional<absl::Duration> round_trip_;
  bool telling_times_ = false;
  absl::Time greet_at_ = absl::InfiniteFuture();
  absl::Time reply_after_ = absl::InfinitePast();
  absl::Duration interval_ = kHelloInterval;
};

}  // namespace cluster::internal

#endif  // CLUSTER_SESSION_HANDSHAKE_H_
