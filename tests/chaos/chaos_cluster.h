// ChaosCluster: a TestCluster whose servers reach each other through proxies,
// with an account of what they send.
//
// It wires cluster, proxies, ledger and events together, and checks what must
// hold however the network behaves. The proxies make the faults. One thread;
// failures fail the running test.
//
//   ChaosCluster cluster(config, 2);
//   ASSERT_TRUE(cluster.Start());
//   cluster.proxy(1, 2).Cut(CutBy::kReset);
//   cluster.Exchange(1000, seed);
//   cluster.ExpectAllOnce();

#ifndef TESTS_CHAOS_CHAOS_CLUSTER_H_
#define TESTS_CHAOS_CHAOS_CLUSTER_H_

#include <cstdint>
#include <functional>
#include <string>

#include "tests/chaos/peer_watch.h"
#include "tests/harness/delivery_ledger.h"
#include "tests/harness/proxy_mesh.h"
#include "tests/harness/test_cluster.h"
#include "tests/harness/transports.h"
#include "tests/scenarios/scenario.h"

namespace cluster::internal {

// The parameter of the tests: a transport, secured or not.
inline std::vector<const char*> Backends() {
  return With(SocketTransports(), SecuredTransports());
}
Config BackendConfig(const std::string& backend);

// A config with short timeouts, small frames, chunks of 32 KiB, and a queue
// that a slow network fills.
Config ChaosConfig(const std::string& backend);

class ChaosCluster {
 public:
  // `config.delivery` decides what the ledger expects. A secured cluster makes
  // its keys. `prepare` is ProxyMesh's.
  ChaosCluster(const Config& config, int servers,
               std::function<void(TcpProxy*)> prepare = nullptr);

  // Starts all servers; returns when each has reported the others as up.
  bool Start();
  // Starts all servers without waiting.
  bool StartOnly() { return cluster_.Start(); }

  // Each server sends `envelopes` random ones to each other server, in all
  // lanes. Most are small.
  void Exchange(std::uint64_t envelopes, std::uint64_t seed);
  void Exchange(const Load& load);
  // Broadcasts `envelopes` small ones.
  void Broadcast(int from, std::uint64_t envelopes);
  // Sends one envelope.
  void SendOne(int from, int to);

  // Checks that all sent envelopes arrived once and in order, in one session,
  // and that nothing is left over. `strangers` is that of SettledProblems.
  void ExpectAllOnce(bool strangers = false);

  TcpProxy& proxy(int from, int to) { return mesh_.proxy(from, to); }
  ProxyMesh& mesh() { return mesh_; }
  DeliveryLedger& ledger() { return ledger_; }
  PeerWatch& watch() { return watch_; }
  TestCluster& cluster() { return cluster_; }
  // The statistics of `observer` about `peer`.
  PeerStats Stats(int observer, int peer) {
    return *cluster_.Stats(observer).Peer(peer);
  }

 private:
  ClusterSpec Spec(const Config& config, int servers);

  DeliveryLedger ledger_;
  PeerWatch watch_;
  ProxyMesh mesh_;
  TestCluster cluster_;
};

// A load of small envelopes.
Load SmallLoad(std::uint64_t envelopes, std::uint64_t seed);

}  // namespace cluster::internal

#endif  // TESTS_CHAOS_CHAOS_CLUSTER_H_
