#include "cluster/transport/fault/fault_state.h"

namespace cluster {

bool Faults::State::Happens(double probability) {
  return probability > 0 &&
         std::uniform_real_distribution<double>(0, 1)(random_) < probability;
}

Fate Faults::State::Decide(int from, int to) {
  internal::MutexLock lock(&mutex_);
  Fate fate;
  const bool cut = cut_.count({from, to}) > 0 || isolated_.count(from) > 0 ||
                   isolated_.count(to) > 0;
  if (cut || Happens(rates_.lose)) {
    ++counts_.lost;
    fate.copies = 0;
    return fate;
  }
  ++counts_.passed;
  if (Happens(rates_.repeat)) {
    ++counts_.repeated;
    fate.copies = 2;
  }
  if (Happens(rates_.delay)) {
    ++counts_.delayed;
    fate.delay = rates_.delay_max *
                 std::uniform_real_distribution<double>(0, 1)(random_);
  }
  return fate;
}

void Faults::State::SetRates(const FaultRates& rates) {
  internal::MutexLock lock(&mutex_);
  rates_ = rates;
}

void Faults::State::Cut(int from, int to) {
  internal::MutexLock lock(&mutex_);
  cut_.insert({from, to});
}

void Faults::State::Isolate(int server) {
  internal::MutexLock lock(&mutex_);
  isolated_.insert(server);
}

void Faults::State::Heal() {
  internal::MutexLock lock(&mutex_);
  rates_ = FaultRates();
  cut_.clear();
  isolated_.clear();
}

FaultCounts Faults::State::Counts() const {
  internal::MutexLock lock(&mutex_);
  return counts_;
}

}  // namespace cluster
