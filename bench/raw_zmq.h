// The bare libzmq as a baseline (raw_link.h).
//
// One way: PUSH to PULL, libzmq's fastest pair, each socket in a context of its
// own as in two processes, high-water marks of 16 MiB worth of messages,
// blocking calls. To several: a PUSH socket each, and one reference-counted
// message that all of them share. Round trip: PAIR, the pair with the least to
// do; or, to show what the layout of our own sockets costs, PUSH and PULL each
// way, and the same with another thread of each side to hand what arrives to.

#ifndef BENCH_RAW_ZMQ_H_
#define BENCH_RAW_ZMQ_H_

#include <cstddef>
#include <memory>

#include "bench/raw_link.h"

namespace cluster {
namespace bench {

std::unique_ptr<RawFanout> NewZmqFanout(Scheme scheme, int links,
                                        std::size_t message_bytes,
                                        RawReceiver receiver);
std::unique_ptr<RawEcho> NewZmqEcho(std::size_t message_bytes);
std::unique_ptr<RawEcho> NewZmqOneWayEcho(std::size_t message_bytes);
std::unique_ptr<RawEcho> NewZmqMailboxEcho(std::size_t message_bytes);

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_RAW_ZMQ_H_
