// LockRank: the order in which one thread may lock the library's mutexes.
//
// A thread that holds a mutex locks only mutexes further down this list, and
// never two of one rank. So no two threads can each wait for the other. Builds
// with CLUSTER_CHECK_LOCKS check this at each lock (mutex.h). The table in
// ARCHITECTURE.md says what each rank guards; lock_rank_test compares the two.
//
//   Mutex mutex_{LockRank::kPeer};

#ifndef CLUSTER_BASE_LOCK_RANK_H_
#define CLUSTER_BASE_LOCK_RANK_H_

// Outermost first.
#define CLUSTER_LOCK_RANKS(RANK) \
  RANK(kApplication)             \
  RANK(kServerStop)              \
  RANK(kServerLifecycle)         \
  RANK(kServerMembers)           \
  RANK(kTransportStop)           \
  RANK(kDelivering)              \
  RANK(kBroadcaster)             \
  RANK(kPeerDial)                \
  RANK(kPeer)                    \
  RANK(kSendQueue)               \
  RANK(kRejections)              \
  RANK(kTransport)               \
  RANK(kExchange)                \
  RANK(kReceiveThreads)          \
  RANK(kReceiveTask)             \
  RANK(kConnection)              \
  RANK(kLeaf)

namespace cluster::internal {

enum class LockRank : int {
#define CLUSTER_LOCK_RANK(name) name,
  CLUSTER_LOCK_RANKS(CLUSTER_LOCK_RANK)
#undef CLUSTER_LOCK_RANK
};

inline constexpr const char* kLockRankNames[] = {
#define CLUSTER_LOCK_RANK(name) #name,
    CLUSTER_LOCK_RANKS(CLUSTER_LOCK_RANK)
#undef CLUSTER_LOCK_RANK
};

}  // namespace cluster::internal

#endif  // CLUSTER_BASE_LOCK_RANK_H_
