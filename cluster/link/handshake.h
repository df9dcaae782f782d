// Handshake: how two servers agree on a session, and on nothing that is old.
//
// Each side has a random epoch (new whenever it (re-)adds the peer) and a
// nonce. A hello tells both, and echoes the last nonce and epoch that were
// heard of the other side. A hello wins, that is, it makes a session, only if
// it echoes the receiver's own present nonce and epoch: so it was made after
// that nonce was, by somebody who heard it. A nonce that won once is replaced.
// Replays, duplicates and leftovers of half-open connections echo something
// older and change nothing. The session's name is the exclusive or of the two
// epochs, which both sides compute alike.
//
// Every frame header names its sender's session; a hello that names another one
// than ours is answered with ours, so both sides converge, whatever was lost.
//
//   A                                         B
//   hello nonce=a            ------------->             (knows a)
//         (proven: B is new) <-------------   hello nonce=b echo=a
//   hello nonce=a' echo=b    ------------->             (proven)
//
// What it is not: authentication (the transport's), nor a timer's owner (Link
// ticks it). Threads: none of its own, not thread-safe. Errors: HelloResult.

#ifndef CLUSTER_LINK_HANDSHAKE_H_
#define CLUSTER_LINK_HANDSHAKE_H_

#include <cstdint>
#include <functional>

#include "absl/time/time.h"
#include "cluster/link/link_config.h"
#include "codec/frame_header.h"

namespace cluster {

enum class HelloResult {
  kHeard,      // learned the peer's nonce, or nothing; no session came or went
  kSame,       // the session that is there already
  kFirst,      // the first session with this peer
  kRenewed,    // another session with the same life of the peer
  kRestarted,  // a session with another life of the peer
  kWrongCluster  // not of our cluster: refused
};

class Handshake {
 public:
  Handshake(const LinkConfig& config, std::function<std::uint64_t()> random);

  // A hello frame arrived, `session` is its header's.
  HelloResult Receive(const Hello& hello, std::uint64_t session,
                      absl::Time now);

  // A frame of another session than ours arrived: the peer should hear from us.
  void Doubt();

  // Gives up the session; a new epoch, so that no frame of it is ever taken
  // again.
  void Break();

  // The connection is new: greet at once.
  void Greet(absl::Time now);

  // Whether a hello is due now. What it says; then it is due again later, if
  // there is no session.
  bool Due(absl::Time now) const;
  // Without a clock: false means that no hello is due, whatever the time is.
  bool MayBeDue() const {
    return reply_due_ || greet_at_ != absl::InfiniteFuture();
  }
  Hello Say(absl::Time now);

  bool established() const { return session_ != 0; }
  std::uint64_t session() const { return session_; }
  // What the peer said in the hello that won. Meaningful while established.
  const Hello& peer() const { return peer_; }

 private:
  std::uint64_t FreshRandom();

  const LinkConfig& config_;
  const std::function<std::uint64_t()> random_;
  std::uint64_t epoch_;
  std::uint64_t nonce_;
  std::uint64_t session_ = 0;
  Hello peer_;  // of the hello that won
  std::uint64_t peer_incarnation_ =
      0;                           // of the last session, 0 before the first
  std::uint64_t heard_nonce_ = 0;  // of the last hello heard
  std::uint64_t heard_epoch_ = 0;
  std::uint64_t told_nonce_ = 0;  // the last one that we echoed
  bool reply_due_ = false;
  absl::Time greet_at_ = absl::InfiniteFuture();
  absl::Time reply_after_ = absl::InfinitePast();
  absl::Duration interval_ = kHelloInterval;
};

}  // namespace cluster

#endif  // CLUSTER_LINK_HANDSHAKE_H_
