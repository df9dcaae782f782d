// Faults::State: decides the fate of each frame. Thread-safe; internal to
// transport/fault.

#ifndef CLUSTER_TRANSPORT_FAULT_FAULT_STATE_H_
#define CLUSTER_TRANSPORT_FAULT_FAULT_STATE_H_

#include <random>
#include <set>
#include <utility>

#include "cluster/base/mutex.h"
#include "cluster/transport/fault/fault_transport.h"

namespace cluster {

// The treatment of one frame.
struct Fate {
  int copies = 1;  // 0: lost
  absl::Duration delay = absl::ZeroDuration();
};

class Faults::State {
 public:
  explicit State(std::uint64_t seed) : random_(seed) {}

  Fate Decide(int from, int to);

  void SetRates(const FaultRates& rates);
  void Cut(int from, int to);
  void Isolate(int server);
  void Heal();
  FaultCounts Counts() const;

 private:
  bool Happens(double probability) CLUSTER_REQUIRES(mutex_);

  mutable internal::Mutex mutex_;
  std::mt19937_64 random_ CLUSTER_GUARDED_BY(mutex_);
  FaultRates rates_ CLUSTER_GUARDED_BY(mutex_);
  std::set<std::pair<int, int>> cut_ CLUSTER_GUARDED_BY(mutex_);
  std::set<int> isolated_ CLUSTER_GUARDED_BY(mutex_);
  FaultCounts counts_ CLUSTER_GUARDED_BY(mutex_);
};

}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_FAULT_FAULT_STATE_H_
