// World: the clock, the random engine and the trace of one simulation.
//
// The clock is virtual and has a queue of tasks. Every random decision comes
// from one seeded engine. Two worlds with the same seed and the same calls have
// the same trace. Use it from one thread. It owns each task until the task has
// run. Scheduling in the past aborts.
//
//   cluster::World world(/*seed=*/7);
//   world.After(absl::Milliseconds(3), [&] { ... });
//   world.RunUntil(world.Now() + absl::Seconds(1));

#ifndef CLUSTER_SIM_WORLD_H_
#define CLUSTER_SIM_WORLD_H_

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace cluster {

class World {
 public:
  // With `keep_text` the trace is kept as text too, a line for each Trace call.
  explicit World(std::uint64_t seed, bool keep_text = false);
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // --- time ---

  absl::Time Now() const { return now_; }
  // Runs `task` after `delay`, which is not negative. Tasks of the same instant
  // run in the order of their After calls.
  void After(absl::Duration delay, std::function<void()> task);
  // Runs all tasks that are due until then, and sets the clock to that time.
  void RunUntil(absl::Time until);

  // --- chance ---

  std::uint64_t Random() { return random_(); }
  // 0 <= Below(n) < n. The tiny bias of a remainder does not matter here, and
  // unlike std's distributions it is the same everywhere.
  std::uint64_t Below(std::uint64_t n) { return random_() % n; }
  // True with this probability, 0..1.
  bool Chance(double probability);
  // A random duration between both, evenly distributed, in microseconds.
  absl::Duration Between(absl::Duration least, absl::Duration most);

  // --- trace ---

  // Records an event `what`, with the servers and numbers that belong to it.
  void Trace(absl::string_view what, std::initializer_list<std::uint64_t> args);
  std::uint64_t trace_hash() const { return trace_hash_; }
  std::uint64_t trace_length() const { return trace_length_; }
  // Lines such as "1.002003 deliver 1 2 17"; empty without `keep_text`.
  const std::string& trace_text() const { return trace_text_; }

 private:
  struct Task {
    absl::Time time;
    std::uint64_t order;
    std::function<void()> run;

    friend bool operator>(const Task& a, const Task& b) {
      return a.time != b.time ? a.time > b.time : a.order > b.order;
    }
  };

  void Mix(std::uint64_t value);

  std::mt19937_64 random_;
  absl::Time now_ = absl::UnixEpoch();
  std::priority_queue<Task, std::vector<Task>, std::greater<Task>> tasks_;
  std::uint64_t order_ = 0;
  const bool keep_text_;
  std::uint64_t trace_hash_ = 0;
  std::uint64_t trace_length_ = 0;
  std::string trace_text_;
};

}  // namespace cluster

#endif  // CLUSTER_SIM_WORLD_H_
