// RefusalReason: why a frame, a record or a connection was not taken.
//
// Transports give the reason of a connection that they turn away themselves; a
// server counts each refusal by its reason (cluster/stats.h). A value.

#ifndef CLUSTER_TRANSPORT_REFUSAL_REASON_H_
#define CLUSTER_TRANSPORT_REFUSAL_REASON_H_

namespace cluster {

// The one list: each reason, and its name for people.
#define CLUSTER_REFUSAL_REASONS(X)                                                 \
  /* No frame of this protocol: truncated, too long, magic, checksum, field. */    \
  X(kMalformed, "malformed")                                                       \
  /* Its sender is not a member. */                                                \
  X(kUnknownSender, "unknown sender")                                              \
  /* It is meant for another server. */                                            \
  X(kWrongDestination, "wrong destination")                                        \
  /* Its connection proved to be another member. */                                \
  X(kWrongIdentity, "wrong identity")                                              \
  /* Its hello names another cluster. */                                           \
  X(kWrongCluster, "wrong cluster")                                                \
  /* It belongs to no session, or to an earlier one. */                            \
  X(kUnknownSession, "unknown session")                                            \
  /* It has been here. */                                                          \
  X(kDuplicate, "duplicate")                                                       \
  /* A frame before it is missing. */                                              \
  X(kGap, "gap")                                                                   \
  /* It acknowledges what was never sent. */                                       \
  X(kImpossibleAck, "impossible acknowledgement")                                  \
  /* It is more than the window that this server granted. */                       \
  X(kOverrun, "overrun")                                                           \
  /* Its checksum is right and its records are not. */                             \
  X(kBadRecord, "bad record")                                                      \
  /* Best effort: Receive does not keep up. */                                     \
  X(kInboxFull, "inbox full")                                                      \
  /* Its connection proved nothing, or not enough: key, certificate, TLS. */       \
  X(kUnauthenticated, "unauthenticated")                                           \
  /* A connection said nothing, or not enough, in time. */                         \
  X(kSilent, "silent")                                                             \
  /* It speaks no version of the protocol that this server or its session does. */ \
  X(kVersion, "no version in common")                                              \
  /* A large payload stood still while others waited for its room. */              \
  X(kStalled, "stalled")                                                           \
  /* Its sender has the other delivery: reliable, or best effort. */               \
  X(kWrongDelivery, "wrong delivery")

enum class RefusalReason {
#define CLUSTER_ENUMERATOR(reason, name) reason,
  CLUSTER_REFUSAL_REASONS(CLUSTER_ENUMERATOR)
#undef CLUSTER_ENUMERATOR
};

inline constexpr int kRefusalReasons = 0
#define CLUSTER_ONE_MORE(reason, name) +1
    CLUSTER_REFUSAL_REASONS(CLUSTER_ONE_MORE);
#undef CLUSTER_ONE_MORE

inline const char* RefusalReasonName(RefusalReason reason) {
  switch (reason) {
#define CLUSTER_CASE(reason, name) \
  case RefusalReason::reason:      \
    return name;
    CLUSTER_REFUSAL_REASONS(CLUSTER_CASE)
#undef CLUSTER_CASE
  }
  return "unknown";
}

}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_REFUSAL_REASON_H_
