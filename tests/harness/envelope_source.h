// EnvelopeSource: random envelopes for whole-system tests, within a budget of
// payload bytes.
//
// Fields span their range: types 0-3 and the application's, terms up to the
// greatest, all lanes. Payloads have 0 to 60,000 bytes, are mostly small, and
// half of them are not UTF-8. For codecs use RandomEnvelopes, which changes one
// field at a time. Each thread needs its own source.
//
//   EnvelopeSource source(seed, 1000, 4 << 20);
//   Envelope envelope = source.Next();
//   envelope.pid = 2;

#ifndef TESTS_HARNESS_ENVELOPE_SOURCE_H_
#define TESTS_HARNESS_ENVELOPE_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>

#include "cluster/envelope.h"

namespace cluster::internal {

inline constexpr std::size_t kPayloadBytesMax = 60000;

class EnvelopeSource {
 public:
  // Makes about `envelopes`, with at most `payload_bytes` in all.
  EnvelopeSource(std::uint64_t seed, std::uint64_t envelopes,
                 std::size_t payload_bytes);

  // Fills in all but the pid, the sender and the id.
  Envelope Next();
  // The same with a payload of this size, whatever the budget.
  Envelope Next(std::size_t payload_bytes);

  std::uint64_t Below(std::uint64_t bound) { return random_() % bound; }

 private:
  std::size_t PayloadBytes();
  std::string Payload(std::size_t bytes);

  std::mt19937_64 random_;
  std::size_t bytes_left_;
  std::uint64_t one_large_in_;
};

}  // namespace cluster::internal

#endif  // TESTS_HARNESS_ENVELOPE_SOURCE_H_
