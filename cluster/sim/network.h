// SimNetwork: a bad network for simulated servers.
//
// It loses, doubles, delays, reorders and corrupts frames, pushes back, cuts
// connections and blocks single directions. The seed of its World decides when.
// This is worse than transport/transport.h allows: frames of one connection may
// overtake each other or come twice. A frame of a cut connection may arrive
// much later, even in the addressee's next life.
//
// Use it from one thread. Callbacks come from the world's tasks. It borrows the
// handlers from Attach to Detach.
//
//   cluster::SimNetwork network(&world);
//   cluster::NetworkFaults faults;
//   faults.loss = 0.1;
//   network.SetFaults(faults);
//   network.Attach(1, &handler_of_1);
//   network.Connect(1, 2);
//   if (network.Send(1, 2, frame) == SendResult::kBackPressured) ...

#ifndef CLUSTER_SIM_NETWORK_H_
#define CLUSTER_SIM_NETWORK_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "cluster/sim/world.h"
#include "cluster/transport/frame.h"
#include "cluster/transport/transport.h"

namespace cluster {

// Probabilities are per frame, 0..1.
struct NetworkFaults {
  double loss = 0;
  double duplicate = 0;
  double reorder = 0;  // the frame may be overtaken and overtake
  double corrupt = 0;  // some of its bits flip
  double reset = 0;    // the connection breaks behind it
  double back_pressure = 0;
  // Of the frames on a connection that breaks, this part arrives late instead
  // of never.
  double leftover = 0;
  absl::Duration delay_min = absl::Microseconds(50);
  absl::Duration delay_max = absl::Milliseconds(2);
  // Of each connection. Frames wait their turn before their delay; 0: they do
  // not.
  std::uint64_t bytes_per_second = 0;
  // A connection with more bytes on their way pushes back.
  std::size_t connection_bytes_max = 16u << 10;
};

class SimNetwork {
 public:
  explicit SimNetwork(World* world) : world_(world) {}
  SimNetwork(const SimNetwork&) = delete;
  SimNetwork& operator=(const SimNetwork&) = delete;

  // Attach adds a server without connections. Detach removes it, and breaks all
  // connections from and to it.
  void Attach(int id, TransportHandler* handler);
  void Detach(int id);

  // As in Transport, for the server `from`.
  void Connect(int from, int to);
  void Disconnect(int from, int to);
  [[nodiscard]] SendResult Send(int from, int to, const Frame& frame);

  void SetFaults(const NetworkFaults& faults) { faults_ = faults; }
  // From now on frames from one to the other are lost, without an event.
  void Block(int from, int to) { blocked_.insert({from, to}); }
  void Unblock(int from, int to) { blocked_.erase({from, to}); }
  void UnblockAll() { blocked_.clear(); }
  // Breaks the connection that `from` dialled; it is dialled again soon.
  void Reset(int from, int to);

  // Of the connection that `from` dialled.
  std::size_t BytesOnTheWay(int from, int to) const;
  std::uint64_t frames_delivered() const { return frames_delivered_; }

 private:
  // A connection that `from` dialled. Its tasks compare generations, to see
  // whether the connection has broken since.
  struct Connection {
    int from = 0;
    int to = 0;
    bool wanted = true;
    bool connected = false;
    std::uint64_t generation = 0;
    std::size_t bytes_on_the_way = 0;
    absl::Time free_at = absl::InfinitePast();  // of bytes_per_second
    absl::Time last_delivery = absl::InfinitePast();
  };
  using ConnectionRef = std::shared_ptr<Connection>;

  TransportHandler* Handler(int id) const;
  bool Blocked(int from, int to) const {
    return blocked_.count({from, to}) > 0;
  }
  void Dial(const ConnectionRef& connection, absl::Duration delay);
  void Break(const ConnectionRef& connection, absl::string_view reason);
  void Schedule(const ConnectionRef& connection, const std::string& bytes);
  void Arrive(const ConnectionRef& connection, std::uint64_t generation,
              std::string bytes);
  void Hand(int from, int to, std::string bytes);
  void OweWritable(const ConnectionRef& connection, absl::Duration delay);

  World* const world_;
  NetworkFaults faults_;
  std::map<int, TransportHandler*> handlers_;
  std::map<std::pair<int, int>, ConnectionRef> connections_;
  std::set<std::pair<int, int>> blocked_;
  std::uint64_t frames_delivered_ = 0;
};

}  // namespace cluster

#endif  // CLUSTER_SIM_NETWORK_H_
