#include "cluster/server/peer_delivery.h"

#include "cluster/server/best_effort.h"
#include "cluster/server/reliable_delivery.h"

namespace cluster::internal {

std::unique_ptr<PeerDelivery> NewPeerDelivery(const Config& config,
                                              const DeliveryParts& parts) {
  if (config.delivery == Delivery::kReliable)
    return std::make_unique<ReliableDelivery>(config, parts);
  return std::make_unique<BestEffortDelivery>(config, parts);
}

std::size_t FrameBytesMax(const Config& config) {
  return config.delivery == Delivery::kReliable
             ? kSessionFrameBytesMax
             : MessageBytesMax(config.payload_bytes_max);
}

}  // namespace cluster::internal
