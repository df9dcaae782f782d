// The bare nng as a baseline (raw_link.h).
//
// One way and round trip: pair0, nng 1.5's fastest pair, with the longest
// queues it allows (at most 8192 messages, at most 16 MiB) and blocking calls.
// To several: a pair each, and a copy of the message for each, since nng has no
// shared ones.

#ifndef BENCH_RAW_NNG_H_
#define BENCH_RAW_NNG_H_

#include <cstddef>
#include <memory>

#include "bench/raw_link.h"

namespace cluster {
namespace bench {

std::unique_ptr<RawFanout> NewNngFanout(Scheme scheme, int links,
                                        std::size_t message_bytes,
                                        RawReceiver receiver);
std::unique_ptr<RawEcho> NewNngEcho(std::size_t message_bytes);

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_RAW_NNG_H_
