#include "tests/harness/proxy_mesh.h"

#include "tests/harness/seed.h"

namespace cluster::internal {

// A server's next life listens where the last one did, so its proxies stay.
std::function<std::string(int, int, const std::string&)> ProxyMesh::Router() {
  return [this](int from, int to, const std::string& address) {
    std::unique_ptr<TcpProxy>& proxy = proxies_[{from, to}];
    if (proxy == nullptr) {
      proxy = std::make_unique<TcpProxy>(address);
      if (prepare_) prepare_(proxy.get());
    }
    return proxy->address();
  };
}

void ProxyMesh::SetAll(const NetworkConditions& conditions) {
  for (const auto& [pair, proxy] : proxies_) proxy->Set(conditions);
}

void ProxyMesh::CutEvery(absl::Duration least, absl::Duration most,
                         std::uint64_t seed) {
  std::uint64_t index = 0;
  for (const auto& [pair, proxy] : proxies_)
    proxy->CutEvery(least, most, PartSeed(seed, index++));
}

void ProxyMesh::CutNoMore() {
  for (const auto& [pair, proxy] : proxies_) proxy->CutNoMore();
}

std::uint64_t ProxyMesh::Cuts() {
  std::uint64_t cuts = 0;
  for (const auto& [pair, proxy] : proxies_) cuts += proxy->Figures().cuts;
  return cuts;
}

}  // namespace cluster::internal
