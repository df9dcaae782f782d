#include "tests/harness/test_cluster.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

// Clusters of one process must not meet over the memory transport.
std::string FreshName() {
  static std::atomic<int> clusters{0};
  return absl::StrCat("test-", ++clusters);
}

}  // namespace

std::vector<int> FirstIds(int servers) {
  std::vector<int> ids;
  for (int id = 1; id <= servers; ++id) ids.push_back(id);
  return ids;
}

TestCluster::TestCluster(ClusterSpec spec) : spec_(std::move(spec)) {
  std::sort(spec_.ids.begin(), spec_.ids.end());
  spec_.config.cluster = FreshName();
  for (int id : spec_.ids) addresses_[id] = FreshAddress(spec_.address_kind);
  if (spec_.secured) MakeClusterKeys();
}

void TestCluster::MakeClusterKeys() {
  keys_.cluster = spec_.config.cluster;
  keys_.server_ids = spec_.ids;
  keys_.folder = absl::StrCat(ScratchFolder(), "/", keys_.cluster);
  const absl::Status status = MakeKeys(keys_);
  EXPECT_TRUE(status.ok()) << status;
  SecurityConfig& security = spec_.config.security;
  security.mode = SecurityConfig::Mode::kMutual;
  security.identity = absl::StrCat(keys_.folder, "/{id}");
  security.peers = absl::StrCat(keys_.folder, "/public");
}

std::string TestCluster::Route(int from, int to) const {
  const bool routed = spec_.route && addresses_known_ && from != to;
  return routed ? spec_.route(from, to, address(to)) : address(to);
}

Config TestCluster::ConfigOf(int id) const {
  Config config = spec_.config;
  config.servers.clear();
  for (int server : spec_.ids)
    config.servers.push_back({server, Route(id, server)});
  return config;
}

bool TestCluster::StartMember(int id) {
  const Config config = ConfigOf(id);
  const auto index = static_cast<int>(
      std::find(spec_.ids.begin(), spec_.ids.end(), id) - spec_.ids.begin());
  const Consumption consumption =
      spec_.consumption ? spec_.consumption(id)
                        : static_cast<Consumption>(index % kConsumptions);
  MemberSink sink;
  sink.on_envelope = [this, id](const EnvelopeView& envelope) {
    spec_.on_envelope(id, envelope);
  };
  if (spec_.on_event) {
    sink.on_event = [this, id](const PeerEvent& event) {
      spec_.on_event(id, event);
    };
  }
  std::unique_ptr<Member> member = Member::Make(
      spec_.make_server ? spec_.make_server(id, config) : NewServer(id, config),
      consumption, std::move(sink));
  if (member == nullptr) return false;
  const absl::Status status = member->Start();
  EXPECT_TRUE(status.ok()) << status;
  members_[id] = std::move(member);
  return status.ok();
}

bool TestCluster::Start() {
  for (int id : spec_.ids) {
    if (!StartMember(id)) return false;
  }
  if (spec_.address_kind == AddressKind::kIpc) return true;
  for (int id : spec_.ids) addresses_[id] = server(id).Address();
  addresses_known_ = true;
  for (int id : spec_.ids) {
    for (int peer : spec_.ids) {
      if (peer == id) continue;
      const absl::Status status = server(id).AddPeer(peer, Route(id, peer));
      EXPECT_TRUE(status.ok()) << status;
      if (!status.ok()) return false;
    }
  }
  return true;
}

void TestCluster::Stop(int id) { members_.at(id)->Stop(); }

void TestCluster::StopAll() {
  for (const auto& [id, member] : members_) member->Stop();
}

void TestCluster::Destroy(int id) { members_.erase(id); }

void TestCluster::DestroyRunning(int id) {
  members_.at(id)->DestroyServer();
  Destroy(id);
}

bool TestCluster::Restart(int id) {
  Destroy(id);
  return StartMember(id);
}

bool TestCluster::FlushAll() {
  bool flushed = true;
  for (const auto& [id, member] : members_) {
    const absl::Status status = member->server().Flush(absl::Seconds(30));
    EXPECT_TRUE(status.ok()) << "server " << id << ": " << status;
    flushed = flushed && status.ok();
  }
  return flushed;
}

}  // namespace cluster::internal
