// gRPC as a peer (raw_fanout.h): one bidirectional stream for each connection.
//
// As gRPC's performance guide advises: streams that live long, ByteBuffers by
// the generic API, which encodes nothing, and completion queues with a thread
// each. Several receivers share a ByteBuffer. With kBuffered each message but
// the last has the buffer hint, so that gRPC combines messages into writes.

#ifndef BENCH_PEERS_GRPC_PEER_H_
#define BENCH_PEERS_GRPC_PEER_H_

#include <cstddef>
#include <memory>

#include "bench/raw_fanout.h"

namespace cluster {
namespace bench {

enum class GrpcWrites { kEach, kBuffered };

std::unique_ptr<RawFanout> NewGrpcFanout(GrpcWrites writes, int connections,
                                         RawReceiver receiver);
std::unique_ptr<RawEcho> NewGrpcEcho(std::size_t message_bytes);

}  // namespace bench
}  // namespace cluster

#endif  // BENCH_PEERS_GRPC_PEER_H_
