#include "tests/harness/seed.h"

#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "cluster/base/check.h"

namespace cluster::internal {

std::uint64_t TestSeed() {
  for (const char* name : {"CLUSTER_TEST_SEED", "TEST_RANDOM_SEED"}) {
    const char* const text = std::getenv(name);
    if (text == nullptr) continue;
    std::uint64_t seed = 0;
    CLUSTER_CHECK(absl::SimpleAtoi(text, &seed), name);
    return seed;
  }
  return 1;
}

std::uint64_t PartSeed(std::uint64_t seed, std::uint64_t index) {
  // The finalizer of SplitMix64: near inputs give far outputs.
  std::uint64_t mixed = seed + (index + 1) * 0x9e3779b97f4a7c15u;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
  return mixed ^ (mixed >> 31);
}

}  // namespace cluster::internal
