// Exchange: the table of listeners and dialled addresses by which the memory
// transports of a process find each other.
//
// Its keys are cluster name and address. It attaches channels when a listener
// comes and detaches them when it goes, so nothing polls. Frames do not pass
// it.
//
// Thread-safe. There is one for the process, never destroyed; a child of fork
// has its own. It shares ports from Listen to Leave, and channels from Dial to
// HangUp.
//
//   auto bound = Exchange::Get().Listen({"cluster", "a:0"}, port);  // "a:1"
//   Exchange::Get().Dial({"cluster", *bound}, channel);

#ifndef CLUSTER_TRANSPORT_MEMORY_EXCHANGE_H_
#define CLUSTER_TRANSPORT_MEMORY_EXCHANGE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/statusor.h"
#include "cluster/base/mutex.h"
#include "cluster/transport/memory/channel.h"

namespace cluster::internal {
namespace memory {

struct Place {
  std::string cluster;
  std::string address;

  bool operator<(const Place& other) const {
    return std::tie(cluster, address) < std::tie(other.cluster, other.address);
  }
};

class Exchange {
 public:
  static Exchange& Get();

  // Puts a port where dialled channels find it, and returns its address. A port
  // 0 (AsksForAnyPort) becomes a number that was never used before.
  absl::StatusOr<std::string> Listen(const Place& place,
                                     std::shared_ptr<Port> port);
  // Detaches every channel there, which wait for the next listener.
  void Leave(const Place& place);

  // Attaches a channel as soon as somebody listens, and again and again.
  void Dial(const Place& place, std::shared_ptr<Channel> channel);
  // Ends that. The caller decides about the channel.
  void HangUp(const Place& place, const std::shared_ptr<Channel>& channel);

 private:
  struct Party {
    std::shared_ptr<Port> listener;  // null: nobody listens
    std::vector<std::shared_ptr<Channel>> dialling;
  };

  void ForgetIfEmptyLocked(const Place& place) CLUSTER_REQUIRES(mutex_);

  Mutex mutex_{LockRank::kExchange};
  std::map<Place, Party> parties_ CLUSTER_GUARDED_BY(mutex_);
  // The last that stood for a ":0".
  std::uint64_t last_number_ CLUSTER_GUARDED_BY(mutex_) = 0;
};

}  // namespace memory
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_MEMORY_EXCHANGE_H_
