// TestSeed: the seed of a randomised test, so that a failure can be run again.
//
// CLUSTER_TEST_SEED of the environment if it is set; else Bazel's
// TEST_RANDOM_SEED, which differs between runs under --runs_per_test; else 1.
// Aborts if the text is no number.
//
//   bazel test --test_env=CLUSTER_TEST_SEED=17 //tests/scenarios:all

#ifndef TESTS_HARNESS_SEED_H_
#define TESTS_HARNESS_SEED_H_

#include <cstdint>

namespace cluster::internal {

std::uint64_t TestSeed();

// The seed of the `index`-th part of a run with `seed`.
std::uint64_t PartSeed(std::uint64_t seed, std::uint64_t index);

}  // namespace cluster::internal

#endif  // TESTS_HARNESS_SEED_H_
