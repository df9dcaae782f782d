// For fuzz functions: a check that stays on in every build, a copy of the input
// that nothing follows, and equality of envelopes.
//
// FUZZ_CHECK aborts, which libFuzzer and a replayed corpus both report.
//
//   FUZZ_CHECK(SameEnvelope(view, again));

#ifndef CLUSTER_CODEC_TESTING_FUZZ_H_
#define CLUSTER_CODEC_TESTING_FUZZ_H_

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "absl/strings/string_view.h"
#include "cluster/envelope.h"

#define FUZZ_CHECK(condition)                                         \
  do {                                                                \
    if (!(condition)) {                                               \
      std::fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, \
                   #condition);                                       \
      std::abort();                                                   \
    }                                                                 \
  } while (false)

namespace cluster::internal {

// A copy in a buffer of exactly its size, so that a sanitizer sees a read
// behind it. A std::string has a zero there.
class ExactCopy {
 public:
  explicit ExactCopy(absl::string_view bytes)
      : bytes_(new char[bytes.size()]), size_(bytes.size()) {
    std::copy(bytes.begin(), bytes.end(), bytes_.get());
  }
  absl::string_view bytes() const { return {bytes_.get(), size_}; }

 private:
  const std::unique_ptr<char[]> bytes_;
  const std::size_t size_;
};

// Compares fields and payloads. It reads the payloads, so a sanitizer sees a
// view that points astray.
inline bool SameEnvelope(const EnvelopeView& a, const EnvelopeView& b) {
  return a.ToEnvelope() == b.ToEnvelope();
}

}  // namespace cluster::internal

#endif  // CLUSTER_CODEC_TESTING_FUZZ_H_
