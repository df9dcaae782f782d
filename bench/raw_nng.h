// The bare nng as a baseline (raw_fanout.h).
//
// One way and round trip use pair0, nng 1.5's fastest pair, with blocking
// calls. Its queues are the longest allowed: at most 8192 messages and 16 MiB.
// Sending to several uses a pair each and copies the message for each, since
// nng has no shared messages.

#ifndef BENCH_RAW_NNG_H_
#define BENCH_RAW_NNG_H_

#include <cstddef>
#include <memory>

#include "bench/raw_fanout.h"

namespace cluster {
namespace bench {

std::unique_ptr<RawFanout> NewNngFanout(Scheme scheme, int connections,
                                        std::size_t message_bytes,
                                        RawReceiver receiver);
std::unique_ptr<RawEcho> NewNngEcho(std::size_t message_bytes);

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_RAW_NNG_H_
