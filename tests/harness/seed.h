// TestSeed: the seed that a randomised test runs with, so that a failure can be
// run again.
//
// What it is: CLUSTER_TEST_SEED of the environment if it is set; else Bazel's
// TEST_RANDOM_SEED, which differs from run to run under --runs_per_test; else
// 1. What it is not: a random generator.
//
//   bazel test --test_env=CLUSTER_TEST_SEED=17 //tests/scenarios:all
//
// Threads: any. Errors: a text that is no number aborts.

#ifndef TESTS_HARNESS_SEED_H_
#define TESTS_HARNESS_SEED_H_

#include <cstdint>

namespace cluster {

std::uint64_t TestSeed();

// A seed of its own for the `index`-th part of what runs with `seed`.
std::uint64_t PartSeed(std::uint64_t seed, std::uint64_t index);

}  // namespace cluster

#endif  // TESTS_HARNESS_SEED_H_
