#include "tests/processes/process_cluster.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"

namespace cluster::internal {

ProcessCluster::ProcessCluster(ProcessSpec spec)
    : spec_(std::move(spec)), addresses_(spec_.addresses) {
  for (int id : spec_.ids) {
    if (addresses_.count(id) == 0)
      addresses_[id] = FreshAddress(spec_.address_kind);
  }
}

std::string ProcessCluster::ConfigText() const {
  std::vector<std::string> servers;
  for (const auto& [id, address] : addresses_) {
    servers.push_back(
        absl::StrCat("{\"id\": ", id, ", \"address\": \"", address, "\"}"));
  }
  return absl::StrCat(
      "{\"cluster\": \"processes\", \"allow_plaintext\": true, "
      "\"transport\": \"",
      spec_.transport, "\", ", spec_.options, spec_.options.empty() ? "" : ", ",
      "\"servers\": [", absl::StrJoin(servers, ", "), "]}");
}

bool ProcessCluster::StartProcess(int id) {
  std::vector<std::unique_ptr<ServerProcess>>& lives = lives_[id];
  const ServerProcess::Mode mode =
      spec_.mode ? spec_.mode(id) : ServerProcess::Mode::kHandler;
  lives.push_back(std::make_unique<ServerProcess>(
      id, static_cast<int>(lives.size()), ConfigText(), mode));
  ServerProcess& process = *lives.back();
  if (!process.running()) return false;
  if (spec_.before_start && !spec_.before_start(&process)) return false;
  addresses_[id] = process.Ask("start", "address");
  return process.running();
}

bool ProcessCluster::Start() {
  for (int id : spec_.ids) {
    if (!StartProcess(id)) return false;
  }
  for (int id : spec_.ids) {
    for (int other : Others(id)) {
      (*this)[id].Ask(absl::StrCat("peer ", other, " ", address(other)),
                      "added");
    }
  }
  for (int id : spec_.ids) {
    for (int other : Others(id)) {
      (*this)[id].AwaitEvent(PeerEvent::kUp, other);
      if (testing::Test::HasFailure()) return false;
    }
  }
  return true;
}

bool ProcessCluster::StartNextLife(int id) { return StartProcess(id); }

bool ProcessCluster::Join(int id) {
  spec_.ids.push_back(id);
  addresses_[id] = FreshAddress(spec_.address_kind);
  if (!StartProcess(id)) return false;
  for (int other : Others(id)) {
    (*this)[other].Ask(absl::StrCat("peer ", id, " ", address(id)), "added");
  }
  return true;
}

std::vector<int> ProcessCluster::Others(int id) const {
  std::vector<int> others;
  for (int other : spec_.ids) {
    if (other != id) others.push_back(other);
  }
  return others;
}

void ProcessCluster::HaltAndFlush(const std::vector<int>& ids) {
  for (int id : ids) (*this)[id].Ask("halt", "halted");
  for (int id : ids) (*this)[id].Say("flush");
  for (int id : ids) (*this)[id].Await("flushed");
  for (int id : ids) (*this)[id].Ask("report", "reported");
}

std::vector<std::string> ProcessCluster::DeliveryProblems(int sender,
                                                          int receiver) {
  std::vector<std::string> problems;
  ServerProcess& from = (*this)[sender];
  JournalPage& to = (*this)[receiver].journal();
  if (to.disorder + to.strange > 0) {
    problems.push_back(absl::StrCat("server ", receiver, " took ",
                                    to.disorder.load(), " out of order and ",
                                    to.strange.load(), " strange ones"));
  }
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    const std::uint64_t accepted =
        from.journal().sent[static_cast<std::size_t>(receiver)][lane].accepted;
    const TakenStream& taken =
        to.taken[static_cast<std::size_t>(sender)]
                [static_cast<std::size_t>(from.life())][0][lane];
    if (taken.count == accepted && taken.last == accepted &&
        (accepted == 0 || taken.first == 1)) {
      continue;
    }
    problems.push_back(
        absl::StrCat("from ", sender, " to ", receiver, " ",
                     LaneName(static_cast<Lane>(lane)), ": accepted ", accepted,
                     ", took ", taken.count.load(), " from ",
                     taken.first.load(), " to ", taken.last.load()));
  }
  return problems;
}

}  // namespace cluster::internal
