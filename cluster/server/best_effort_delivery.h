// The bare transport to all members: one envelope a message, at most once.
//
// There are no acknowledgements and no frames but the messages, so nothing is
// flushed and no time passes. The transport has all that was accepted, and alone
// can get it out.
//
// A message goes to the inbox once it decodes, its connection may speak for the
// sender that it names, and it is for this server. Threads and errors are as
// PeerDelivery says.

#ifndef CLUSTER_SERVER_BEST_EFFORT_DELIVERY_H_
#define CLUSTER_SERVER_BEST_EFFORT_DELIVERY_H_

#include <memory>
#include <vector>

#include "cluster/server/best_effort_peer.h"
#include "cluster/server/delivery_to.h"

namespace cluster::internal {

class BestEffortDelivery final : public DeliveryTo<BestEffortPeer> {
 public:
  BestEffortDelivery(const Config& config, const DeliveryParts& parts);

  std::vector<int> Broadcast(const EnvelopeView& envelope) override;
  FrameVerdict OnFrame(ReceivedFrame frame) override;

 private:
  std::unique_ptr<BestEffortPeer> NewPeer() override;

  const std::size_t payload_bytes_max_;
};

}  // namespace cluster::internal

#endif  // CLUSTER_SERVER_BEST_EFFORT_DELIVERY_H_
