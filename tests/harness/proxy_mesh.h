// ProxyMesh: a TcpProxy for each ordered pair of servers that talk.
//
// Its Router answers ClusterSpec::route, on the thread that starts the cluster.
// TCP over IPv4 only. The mesh owns the proxies; destroy it after the cluster.
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

namespace cluster::internal {

class ProxyMesh {
 public:
  // Calls `prepare`, which may be null, with each proxy before its first dial.
  explicit ProxyMesh(std::function<void(TcpProxy*)> prepare = nullptr)
      : prepare_(std::move(prepare)) {}

  std::function<std::string(int from, int to, const std::string& address)>
  Router();

  // The proxy of the way from `from` to `to`, after Router's call for the pair.
  TcpProxy& proxy(int from, int to) { return *proxies_.at({from, to}); }

  void SetAll(const NetworkConditions& conditions);
  // Calls CutEvery of each proxy; each has its own random times.
  void CutEvery(absl::Duration least, absl::Duration most, std::uint64_t seed);
  void CutNoMore();
  // The cuts by all proxies so far.
  std::uint64_t Cuts();

 private:
  const std::function<void(TcpProxy*)> prepare_;
  std::map<std::pair<int, int>, std::unique_ptr<TcpProxy>> proxies_;
};

}  // namespace cluster::internal

#endif  // TESTS_HARNESS_PROXY_MESH_H_
