// Random envelopes for tests, with fields over their whole range.
//
// Small changes from one envelope to the next are as common as large ones. Each
// thread needs its own RandomEnvelopes.
//
//   RandomEnvelopes source(seed);          // print the seed when a test fails
//   cluster::Envelope envelope = source.Next();

#ifndef CLUSTER_CODEC_TESTING_RANDOM_ENVELOPE_H_
#define CLUSTER_CODEC_TESTING_RANDOM_ENVELOPE_H_

#include <cstdint>
#include <random>
#include <string>

#include "cluster/envelope.h"

namespace cluster::internal {

class RandomEnvelopes {
 public:
  explicit RandomEnvelopes(std::uint64_t seed) : random_(seed) {}

  // The one before with some fields changed, and another payload.
  Envelope Next();

 private:
  std::uint64_t Below(std::uint64_t bound) { return random_() % bound; }
  bool OneIn(std::uint64_t n) { return Below(n) == 0; }
  std::uint64_t AnyNumber();  // of any length in bits, all as likely
  int AnyId() { return static_cast<int>(AnyNumber() & kServerIdMax); }
  std::string AnyPayload();

  std::mt19937_64 random_;
  Envelope last_;
};

}  // namespace cluster::internal

#endif  // CLUSTER_CODEC_TESTING_RANDOM_ENVELOPE_H_
