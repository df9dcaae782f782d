// The bare transport to all members: one envelope a message, at most once.
//
// There are no acknowledgements and no frames but the messages, so nothing is
// flushed and no time passes. A message goes to the inbox once it decodes, its
// connection may speak for the sender that it names, and it is for this server.
//
// Threads, ownership and errors: see PeerDelivery.

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

  SendOutcome Send(int id, const EnvelopeView& envelope) override;
  std::vector<int> Broadcast(const EnvelopeView& envelope) override;
  bool acknowledges() const override { return false; }
  std::vector<int> Flush(absl::optional<int>,
                         std::chrono::steady_clock::time_point) override {
    return {};
  }

  void Begin(std::uint64_t /*incarnation*/) override {}
  absl::Status StartTicking() override { return absl::OkStatus(); }
  void Finish(std::chrono::steady_clock::time_point) override {}
  // The transport has all that was accepted, and alone can get it out.
  absl::Duration linger_max() const override {
    return absl::InfiniteDuration();
  }

  FrameVerdict OnFrame(ReceivedFrame frame) override;
  void OnDrained() override { parts_.callbacks->RunHere(); }

 private:
  std::unique_ptr<BestEffortPeer> NewPeer(int id) override;

  const std::size_t payload_bytes_max_;
};

}  // namespace cluster::internal

#endif  // CLUSTER_SERVER_BEST_EFFORT_DELIVERY_H_
