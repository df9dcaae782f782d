#include "cluster/sim/world.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cluster/base/check.h"

namespace cluster {

World::World(std::uint64_t seed, bool keep_text)
    : random_(seed), keep_text_(keep_text) {}

void World::After(absl::Duration delay, std::function<void()> task) {
  CLUSTER_CHECK(delay >= absl::ZeroDuration(), "scheduled in the past");
  tasks_.push(Task{now_ + delay, order_++, std::move(task)});
}

void World::RunUntil(absl::Time until) {
  while (!tasks_.empty() && tasks_.top().time <= until) {
    now_ = tasks_.top().time;
    // top() is const, but the task is popped before it runs.
    std::function<void()> run = std::move(const_cast<Task&>(tasks_.top()).run);
    tasks_.pop();
    run();
  }
  now_ = until;
}

bool World::Chance(double probability) {
  if (probability <= 0) return false;
  constexpr double kScale = 1.0 / 9007199254740992.0;  // 2^-53
  return static_cast<double>(random_() >> 11) * kScale < probability;
}

absl::Duration World::Between(absl::Duration least, absl::Duration most) {
  const std::int64_t span = absl::ToInt64Microseconds(most - least);
  if (span <= 0) return least;
  return least + absl::Microseconds(static_cast<std::int64_t>(
                     Below(static_cast<std::uint64_t>(span) + 1)));
}

// The finaliser of splitmix64 (Steele, Lea, Flood 2014).
void World::Mix(std::uint64_t value) {
  std::uint64_t x = trace_hash_ + 0x9e3779b97f4a7c15u + value;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  trace_hash_ = x ^ (x >> 31);
}

void World::Trace(absl::string_view what,
                  std::initializer_list<std::uint64_t> args) {
  ++trace_length_;
  Mix(static_cast<std::uint64_t>(absl::ToUnixMicros(now_)));
  for (const char c : what) Mix(static_cast<unsigned char>(c));
  for (const std::uint64_t arg : args) Mix(arg);
  if (!keep_text_) return;
  absl::StrAppendFormat(&trace_text_, "%.6f ",
                        absl::ToDoubleSeconds(now_ - absl::UnixEpoch()));
  absl::StrAppend(&trace_text_, what);
  for (const std::uint64_t arg : args) absl::StrAppend(&trace_text_, " ", arg);
  trace_text_ += '\n';
}

}  // namespace cluster
