// TestCluster: the servers of one cluster in one process, on fresh addresses.
//
// Members start on port 0 (or fresh paths) and learn each other's addresses by
// AddPeer. Each takes envelopes in a different way. A member can stop, and
// start its next life at the same address. DeliveryLedger accounts for
// envelopes, EnvelopeSource makes them.
//
// The callbacks of `spec` come from many threads; use everything else from one.
// The cluster owns the members. Failures fail the running test.
//
//   ClusterSpec spec;
//   spec.config.transport = "nng";
//   spec.ids = {1, 2, 3};
//   spec.on_envelope = [&](int receiver, const EnvelopeView& envelope) { ... };
//   TestCluster cluster(spec);
//   ASSERT_TRUE(cluster.Start());
//   cluster.server(1).Send(envelope);
//   cluster.Restart(2);

#ifndef TESTS_HARNESS_TEST_CLUSTER_H_
#define TESTS_HARNESS_TEST_CLUSTER_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cluster/config.h"
#include "cluster/server.h"
#include "programs/keygen/keys.h"
#include "tests/harness/fresh_address.h"
#include "tests/harness/member.h"

namespace cluster::internal {

// The ids 1, 2, ... `servers`.
std::vector<int> FirstIds(int servers);

struct ClusterSpec {
  Config config;  // all but its name and servers
  std::vector<int> ids;
  AddressKind address_kind = AddressKind::kIpv4;
  // Makes a server; null: NewServer(id, config).
  std::function<absl::StatusOr<std::unique_ptr<Server>>(int id,
                                                        const Config& config)>
      make_server;
  // Whether to make keys for this cluster (see keys).
  bool secured = false;
  // The address at which `from` dials `to`, which listens at `address`. Null:
  // that address.
  std::function<std::string(int from, int to, const std::string& address)>
      route;
  // How a server takes envelopes; null: each server in another way.
  std::function<Consumption(int id)> consumption;
  std::function<void(int receiver, const EnvelopeView&)> on_envelope;
  std::function<void(int observer, const PeerEvent&)> on_event;  // may be null
};

class TestCluster {
 public:
  explicit TestCluster(ClusterSpec spec);

  // Starts all servers and adds each to the others. False: the test has failed.
  bool Start();
  // Stops the server; its figures stay readable.
  void Stop(int id);
  void StopAll();
  // Stops the server if it runs, and destroys it. Do not use it afterwards.
  void Destroy(int id);
  // Destroys a running server that has a handler. Do not use it afterwards.
  void DestroyRunning(int id);
  // Destroys a server, and starts its next life at the same address.
  bool Restart(int id);

  // Waits until all sent envelopes are acknowledged, or fails the test.
  bool FlushAll();

  const std::vector<int>& ids() const { return spec_.ids; }
  Server& server(int id) { return members_.at(id)->server(); }
  const std::string& address(int id) const { return addresses_.at(id); }
  // The config of that server.
  Config ConfigOf(int id) const;
  // The folder of a secured cluster's keys, with a folder for each id.
  const KeyRequest& keys() const { return keys_; }
  ServerStats Stats(int id) const { return members_.at(id)->server().Stats(); }

 private:
  void MakeClusterKeys();
  bool StartMember(int id);
  // The address at which `from` dials `to`.
  std::string Route(int from, int to) const;

  ClusterSpec spec_;
  KeyRequest keys_;
  std::map<int, std::string> addresses_;
  bool addresses_known_ = false;  // no port is 0 any more
  std::map<int, std::unique_ptr<Member>> members_;
};

}  // namespace cluster::internal

#endif  // TESTS_HARNESS_TEST_CLUSTER_H_
