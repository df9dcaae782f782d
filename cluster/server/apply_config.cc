// ServerCore::ApplyConfig: all is checked before anything is changed. The keys and
// the new connections, which may fail, come first and are taken back then. The rest
// cannot fail.

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cluster/config/changes.h"
#include "cluster/config/check.h"
#include "cluster/server/server_core.h"
#include "cluster/transport/address.h"

namespace cluster::internal {
namespace {

bool Contains(const std::vector<ServerAddress>& servers, int id) {
  return std::any_of(servers.begin(), servers.end(),
                     [id](const ServerAddress& one) { return one.id == id; });
}

absl::Status AtServer(int id, const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat("server ", id, ": ", status.message()));
}

bool ChangesTimes(const Config& before, const Config& wanted) {
  return before.delivery == Delivery::kReliable &&
         (before.heartbeat != wanted.heartbeat ||
          before.peer_timeout != wanted.peer_timeout);
}

absl::Status NoLiveTimes(const Config& wanted, const std::vector<int>& peers) {
  return absl::FailedPreconditionError(absl::StrCat(
      PlaceOf(wanted, "heartbeat_ms"), ", $.peer_timeout_ms: server",
      peers.size() == 1 ? " " : "s ", absl::StrJoin(peers, ", "),
      peers.size() == 1 ? " runs" : " run",
      " a release that takes no other times within a session, so nothing was "
      "changed: update it first, or restart this server with the new config"));
}

}  // namespace

// Not all under the lifecycle's lock: see ReloadSecurity.
absl::Status ServerCore::ApplyConfig(const Config& wanted) {
  if (InAnotherProcess()) return AfterFork();
  if (callbacks_.InCallback())
    return absl::FailedPreconditionError("ApplyConfig in a callback");
  MutexLock reload_lock(&reload_mutex_);
  const bool secured = config_.security.mode != SecurityConfig::Mode::kNone;
  {
    MutexLock lock(&lifecycle_mutex_);
    if (absl::Status status = MayApply(wanted); !status.ok()) return status;
  }
  if (secured) {
    if (absl::Status status = LoadKeys(wanted); !status.ok()) return status;
  }
  absl::Status status = InMemory([&] {
    MutexLock lock(&lifecycle_mutex_);
    absl::Status applied = MayApply(wanted);  // members may have changed
    if (applied.ok()) applied = ApplyMembers(wanted);
    return applied;
  });
  if (secured && status.ok()) key_watch_.KeysLoaded();
  if (secured && !status.ok()) LoadKeys(config_).IgnoreError();
  callbacks_.Wake();
  return status;
}

absl::Status ServerCore::MayApply(const Config& wanted) {
  if (phase_ == Phase::kStopped)
    return absl::CancelledError("the server was stopped");
  Config with_addresses = wanted;
  with_addresses.servers = MembersOf(config_, wanted);
  absl::Status status = ValidateConfig(with_addresses);
  if (!status.ok()) return status;
  status = CheckLive(ChangesOf(config_, wanted, id_), wanted);
  if (!status.ok()) return status;
  for (const ServerAddress& member : with_addresses.servers) {
    if (IsLeaving(member.id)) return Leaving(member.id);
    const ServerAddress* const known = FindAddress(member.id);
    if (known != nullptr && known->address == member.address) continue;
    status = CheckNewPeer(with_addresses, member.id, member.address,
                          transport_->Address());
    if (!status.ok()) return AtServer(member.id, status);
  }
  if (!ChangesTimes(config_, wanted)) return absl::OkStatus();
  const std::vector<int> without = delivery_->WithoutLiveTimes();
  return without.empty() ? absl::OkStatus() : NoLiveTimes(wanted, without);
}

absl::Status ServerCore::ApplyMembers(const Config& wanted) {
  std::vector<ServerAddress> members = MembersOf(config_, wanted);
  std::vector<int> gone;
  for (const ServerAddress& server : servers())
    if (!Contains(members, server.id)) gone.push_back(server.id);
  if (absl::Status status = ConnectTo(members); !status.ok()) return status;
  OrEndProcess("ApplyConfig", [&] {
    lifecycle_mutex_.AssertHeld();
    servers() = std::move(members);
    TakeLiveKeys(wanted);
    for (const int id : gone) {
      Retire(id);
      if (phase_ == Phase::kRunning) transport_->Disconnect(id);
    }
  });
  return absl::OkStatus();
}

// Adds those that are no members, and dials those that are elsewhere. After an error
// all are as they were.
absl::Status ServerCore::ConnectTo(const std::vector<ServerAddress>& members) {
  const bool running = phase_ == Phase::kRunning;
  const auto dial = [&](int id, const std::string& address) {
    if (!running || AsksForAnyPort(address)) return absl::OkStatus();
    return InMemory([&] { return delivery_->Connect(id, address); });
  };
  for (std::size_t i = 0; i < members.size(); ++i) {
    const ServerAddress& member = members[i];
    const ServerAddress* const known = FindAddress(member.id);
    if (member.id == id_ ||
        (known != nullptr && known->address == member.address))
      continue;
    if (known == nullptr) {
      Enter(member.id);
    } else if (running && !AsksForAnyPort(known->address)) {
      transport_->Disconnect(member.id);
    }
    const absl::Status status = dial(member.id, member.address);
    if (status.ok()) continue;
    for (std::size_t back = 0; back <= i; ++back) {
      const int id = members[back].id;
      const ServerAddress* const before = FindAddress(id);
      if (before == nullptr) {
        Retire(id);
      } else if (id == id_ || before->address == members[back].address) {
        continue;
      }
      if (running) transport_->Disconnect(id);
      if (before != nullptr) dial(id, before->address).IgnoreError();
    }
    return AtServer(member.id, status);
  }
  return absl::OkStatus();
}

void ServerCore::TakeLiveKeys(const Config& wanted) {
  CopyLiveKeys(wanted, &config_);
  config_.origin = wanted.origin;
  config_.lines = wanted.lines;
  inbox_.SetBytesMax(config_.inbox_bytes_max);
  callbacks_.SetSlow(config_.slow_handler);
  delivery_->Take(config_);
}

}  // namespace cluster::internal
