// ProxyMesh: a TcpProxy for each ordered pair of servers that talk.
//
// What it is: what ClusterSpec::route asks, and a way to do the same to all.
// What it is not: for addresses that are not TCP over IPv4.
//
// Threads: Route is the cluster's starting thread's; the proxies are safe.
// Ownership: owns the proxies; goes after the cluster. Errors: as TcpProxy.
//
//   ProxyMesh mesh;
//   ClusterSpec spec;
//   spec.route = mesh.Router();
//   TestCluster cluster(spec);
//   ASSERT_TRUE(cluster.Start());
//   mesh.proxy(1, 2).Cut(CutBy::kReset);

#ifndef TESTS_HARNESS_PROXY_MESH_H_
#define TESTS_HARNESS_PROXY_MESH_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "tests/harness/tcp_proxy.h"

namespace cluster {

class ProxyMesh {
 public:
  // `prepare`, which may be null, sees each proxy before anybody dials it.
  explicit ProxyMesh(std::function<void(TcpProxy*)> prepare = nullptr)
      : prepare_(std::move(prepare)) {}

  std::function<std::string(int from, int to, const std::string& address)>
  Router();

  // Between servers of which `from` has been told of `to`.
  TcpProxy& proxy(int from, int to) { return *proxies_.at({from, to}); }

  void SetAll(const NetworkConditions& conditions);
  // As TcpProxy does, each with its own random times.
  void CutEvery(absl::Duration least, absl::Duration most, std::uint64_t seed);
  void CutNoMore();
  // By all proxies so far.
  std::uint64_t Cuts();

 private:
  const std::function<void(TcpProxy*)> prepare_;
  std::map<std::pair<int, int>, std::unique_ptr<TcpProxy>> proxies_;
};

}  // namespace cluster

#endif  // TESTS_HARNESS_PROXY_MESH_H_
