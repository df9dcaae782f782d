// Linked with a Raft that has one planted bug (bug.h): some seed must show it.

#include <cstdint>
#include <iostream>

#include "examples/raft/testing/simulation.h"
#include "gtest/gtest.h"

namespace raft {
namespace {

constexpr std::uint64_t kSeedsMax = 400;

TEST(PlantedBug, IsFound) {
  std::string violation;
  std::uint64_t seed = 0;
  while (violation.empty() && seed < kSeedsMax)
    violation = RunSimulation(seed++).violation;
  EXPECT_NE(violation, "") << "no seed shows the bug";
  std::cout << "seed " << seed - 1 << ": " << violation << "\n";
}

}  // namespace
}  // namespace raft
