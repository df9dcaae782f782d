// CAF, the C++ actor framework, as a peer (raw_fanout.h).
//
// Each side is an actor system with its middleman, and the receiver an actor
// that the sender reaches as a remote one. A message is one std::string, which
// CAF writes as a block, and several receivers share it. CAF's own defaults are
// what its manual advises. It bounds no queue, so the sender waits for the
// receivers when twice a window is on its way.

#ifndef BENCH_PEERS_CAF_PEER_H_
#define BENCH_PEERS_CAF_PEER_H_

#include <cstddef>
#include <memory>

#include "bench/raw_fanout.h"

namespace cluster {
namespace bench {

std::unique_ptr<RawFanout> NewCafFanout(int connections,
                                        std::size_t message_bytes,
                                        RawReceiver receiver);
std::unique_ptr<RawEcho> NewCafEcho(std::size_t message_bytes);

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_PEERS_CAF_PEER_H_
