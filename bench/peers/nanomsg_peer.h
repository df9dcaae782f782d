// nanomsg as a peer (raw_fanout.h).
//
// Each connection is a pair of PAIR sockets with blocking calls. Messages come
// from nn_allocmsg, which saves a copy on each side. As nanomsg's manual
// advises, NN_TCP_NODELAY is on for round trips alone: it costs throughput.
// nanomsg has one thread for all sockets of a process.

#ifndef BENCH_PEERS_NANOMSG_PEER_H_
#define BENCH_PEERS_NANOMSG_PEER_H_

#include <cstddef>
#include <memory>

#include "bench/raw_fanout.h"

namespace cluster {
namespace bench {

std::unique_ptr<RawFanout> NewNanomsgFanout(int connections,
                                            std::size_t message_bytes,
                                            RawReceiver receiver);
std::unique_ptr<RawEcho> NewNanomsgEcho(std::size_t message_bytes);

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_PEERS_NANOMSG_PEER_H_
