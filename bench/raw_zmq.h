// The bare libzmq as a baseline (raw_fanout.h).
//
// One way uses PUSH to PULL, libzmq's fastest pair, with blocking calls. Each
// socket has a context of its own, as in two processes, and high-water marks of
// 16 MiB worth of messages. Sending to several uses a PUSH socket each; all
// share one reference-counted message. A round trip uses PAIR, the pair with
// the least to do. Two variants show the cost of our own layout: PUSH and PULL
// each way, and the same with another thread on each side.

#ifndef BENCH_RAW_ZMQ_H_
#define BENCH_RAW_ZMQ_H_

#include <cstddef>
#include <memory>

#include "bench/raw_fanout.h"

namespace cluster {
namespace bench {

std::unique_ptr<RawFanout> NewZmqFanout(Scheme scheme, int connections,
                                        std::size_t message_bytes,
                                        RawReceiver receiver);
std::unique_ptr<RawEcho> NewZmqEcho(std::size_t message_bytes);
std::unique_ptr<RawEcho> NewZmqOneWayEcho(std::size_t message_bytes);
std::unique_ptr<RawEcho> NewZmqMailboxEcho(std::size_t message_bytes);

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_RAW_ZMQ_H_
