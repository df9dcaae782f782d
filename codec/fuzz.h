// What fuzz functions share: a check that stays on in every build, and equality
// of what was decoded.
//
// Not for production code. Threads: pure functions. Errors: FUZZ_CHECK traps,
// which libFuzzer and a replayed corpus both report.
//
//   FUZZ_CHECK(SameEnvelope(view, again));

#ifndef CODEC_FUZZ_H_
#define CODEC_FUZZ_H_

#include <cstdio>
#include <cstdlib>

#include "cluster/envelope.h"

#define FUZZ_CHECK(condition)                                         \
  do {                                                                \
    if (!(condition)) {                                               \
      std::fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, \
                   #condition);                                       \
      std::abort();                                                   \
    }                                                                 \
  } while (false)

namespace cluster {

// Equal fields and payloads; the payload of `view` is read, so that a view that
// points astray is seen by a sanitizer.
inline bool SameEnvelope(const EnvelopeView& a, const EnvelopeView& b) {
  return a.ToEnvelope() == b.ToEnvelope();
}

}  // namespace cluster

#endif  // CODEC_FUZZ_H_
