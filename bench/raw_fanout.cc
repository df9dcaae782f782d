#include "bench/raw_fanout.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/raw_nng.h"
#include "bench/raw_tcp.h"
#include "bench/raw_zmq.h"
#include "cluster/base/check.h"

namespace cluster {
namespace bench {

std::string NewIpcPath() {
  // Random, since containers that share the folder may have equal process ids.
  static const unsigned process = std::random_device()();
  static std::atomic<int> paths{0};
  const char* const folder = std::getenv("TMPDIR");
  return absl::StrCat(folder != nullptr ? folder : "/tmp", "/cluster-bench-",
                      process, "-", ++paths);
}

void RawFanout::CommitTo(int /*connection*/) {
  CLUSTER_CHECK(false, "this library sends to all receivers only");
}

std::unique_ptr<RawFanout> NewRawFanout(absl::string_view transport,
                                        Scheme scheme, int connections,
                                        std::size_t message_bytes,
                                        RawReceiver receiver) {
  if (transport == "tcp")
    return NewTcpFanout(scheme, connections, std::move(receiver));
  return transport == "zmq" ? NewZmqFanout(scheme, connections, message_bytes,
                                           std::move(receiver))
                            : NewNngFanout(scheme, connections, message_bytes,
                                           std::move(receiver));
}

std::unique_ptr<RawEcho> NewRawEcho(absl::string_view transport,
                                    std::size_t message_bytes) {
  if (transport == "tcp") return NewTcpEcho(message_bytes);
  return transport == "zmq" ? NewZmqEcho(message_bytes)
                            : NewNngEcho(message_bytes);
}

int RawQueueLength(std::size_t message_bytes, int most) {
  constexpr std::size_t kQueueBytes = 16u << 20;
  const std::size_t length =
      kQueueBytes / std::max<std::size_t>(message_bytes, 1);
  return static_cast<int>(
      std::clamp<std::size_t>(length, 8, static_cast<std::size_t>(most)));
}

}  // namespace bench
}  // namespace cluster
