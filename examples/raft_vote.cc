// One round of a Raft election among three servers of one process.
//
// Server 1 asks for votes, the others answer in their handlers, and the
// majority decides.
//
//   bazel run //examples:raft_vote

#include <chrono>
#include <cstdint>
#include <future>
#include <iostream>
#include <memory>
#include <set>
#include <vector>

#include "cluster/server.h"

namespace {

using cluster::Envelope;
using cluster::EnvelopeView;
using cluster::MsgType;
using cluster::Server;

constexpr int kServers = 3;

// The state of a voter. Only its handler uses it, one call at a time.
struct Voter {
  std::uint64_t term = 0;
  bool voted = false;
};

// Grants the first request of a term. In a handler, Send never waits.
void Answer(Server* server, Voter* voter, const EnvelopeView& request) {
  if (request.msg_type != MsgType::kRequestVoteRequest) return;
  if (request.term > voter->term) *voter = {request.term, false};
  Envelope answer;
  answer.pid = request.sender_id;
  answer.msg_type = MsgType::kRequestVoteResponse;
  answer.term = voter->term;
  answer.voted = request.term == voter->term && !voter->voted;
  answer.lane = cluster::Lane::kUrgent;  // ahead of the log
  if (answer.voted) voter->voted = true;
  if (absl::Status status = server->Send(answer); !status.ok())
    std::cerr << status << "\n";
}

int Fail(const absl::Status& status) {
  std::cerr << status << "\n";
  return 1;
}

// Asks all for their votes in `term`, and waits for a majority.
bool Elect(Server* candidate, std::uint64_t term, std::future<void>* majority) {
  Envelope request;
  request.pid = cluster::kBroadcast;
  request.msg_type = MsgType::kRequestVoteRequest;
  request.term = term;
  if (absl::Status status = candidate->Send(request); !status.ok()) {
    std::cerr << status << "\n";
    return false;
  }
  return majority->wait_for(std::chrono::seconds(30)) ==
         std::future_status::ready;
}

}  // namespace

int main() {
  cluster::Config config;
  config.transport = "memory";
  config.servers = {{1, "one"}, {2, "two"}, {3, "three"}};
  std::vector<Voter> voters(kServers + 1);
  std::set<int> votes = {1};  // its own
  std::promise<void> won;
  std::vector<std::unique_ptr<Server>> servers;

  for (int id = 1; id <= kServers; ++id) {
    auto made = cluster::NewServer(id, config);
    if (!made.ok()) return Fail(made.status());
    Server* const server = made->get();
    Voter* const voter = &voters[static_cast<std::size_t>(id)];
    if (id == 1) {
      server->OnEnvelope([&](const EnvelopeView& answer) {
        const bool was_won = votes.size() > kServers / 2;
        if (answer.voted && answer.term == 7) votes.insert(answer.sender_id);
        if (!was_won && votes.size() > kServers / 2) won.set_value();
      });
    } else {
      server->OnEnvelope(
          [=](const EnvelopeView& request) { Answer(server, voter, request); });
    }
    if (absl::Status started = server->Start(); !started.ok())
      return Fail(started);
    servers.push_back(*std::move(made));
  }

  std::future<void> majority = won.get_future();
  const bool elected = Elect(servers[0].get(), 7, &majority);
  for (auto& server : servers) server->Stop();  // no handler runs any more
  if (!elected) return 1;
  std::cout << "server 1 leads term 7\n";
}
