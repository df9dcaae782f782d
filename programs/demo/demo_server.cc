#include "programs/demo/demo_server.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cluster/base/mutex.h"
#include "cluster/server.h"
#include "programs/demo/scenario.h"
#include "programs/demo/tally.h"
#include "programs/line_reader.h"
#include "programs/output.h"

namespace cluster {
namespace demo {
namespace {

// How long an envelope may wait for room in a peer's queue.
constexpr absl::Duration kSendWait = absl::Seconds(30);
// Lines of progress per scenario.
constexpr std::uint64_t kProgressSteps = 20;
constexpr std::size_t kLineBytesMax = 1024;

class DemoServer {
 public:
  DemoServer(Server* server, std::vector<int> ids, const Load& load)
      : server_(server),
        ids_(std::move(ids)),
        load_(load),
        output_(STDOUT_FILENO, -1) {
    for (const Scenario& scenario : Scenarios()) {
      tallies_.emplace_back();
      awaited_.push_back(load.rounds *
                         ArrivalsPerRound(scenario, server->Pid(), ids_));
      for (int sender : ids_) {
        logs_.emplace(
            std::make_pair(scenario.index, sender),
            load.rounds * PerRound(scenario, sender, server->Pid(), ids_));
      }
    }
    server_->OnEnvelope(
        [this](const EnvelopeView& envelope) { Count(envelope); });
    server_->OnPeerEvent([this](const PeerEvent& event) { Watch(event); });
  }

  ~DemoServer() {
    server_->Stop();
    if (sender_.joinable()) sender_.join();
  }

  // Returns at the end of the input, or after an error that it has reported.
  void Run() {
    absl::Status status = SendMessage(*server_);
    if (!status.ok()) return Error(status);
    output_.Line(absl::StrCat("address ", server_->Address()));
    status = ReceiveMessage(*server_);
    if (!status.ok()) return Error(status);
    if (ids_.size() == 1) output_.Line("connected");

    LineReader input(STDIN_FILENO, kLineBytesMax);
    while (!input.ended()) {
      input.Fill();
      std::string line;
      while (input.Next(&line)) {
        status = Obey(line);
        if (!status.ok()) return Error(status);
      }
    }
  }

 private:
  void Error(const absl::Status& status) {
    output_.Line(absl::StrCat("error ", status.message()));
  }

  absl::Status Obey(const std::string& line) {
    const std::vector<std::string> words =
        absl::StrSplit(line, absl::MaxSplits(' ', 2));
    int number = 0;
    if (words[0] == "report") {
      Report();
      return absl::OkStatus();
    }
    if (words.size() > 1 && absl::SimpleAtoi(words[1], &number)) {
      if (words[0] == "run") {
        if (sender_.joinable()) sender_.join();
        const Scenario& scenario =
            Scenarios().at(static_cast<std::size_t>(number));
        sender_ = std::thread([this, &scenario] { Send(scenario); });
        return absl::OkStatus();
      }
      if (words[0] == "peer" && words.size() == 3) {
        absl::Status status = server_->AddPeer(number, words[2]);
        // The config already has the addresses of Unix sockets.
        return absl::IsAlreadyExists(status) ? absl::OkStatus() : status;
      }
    }
    return absl::InvalidArgumentError(absl::StrCat("told '", line, "'"));
  }

  void Send(const Scenario& scenario) {
    for (std::uint64_t round = 0; round < load_.rounds; ++round) {
      for (const Envelope& envelope : RoundOf(scenario, server_->Pid(), ids_,
                                              round, load_.payload_bytes)) {
        const absl::Status status = server_->Send(envelope, kSendWait);
        if (absl::IsCancelled(status)) return;
        if (!status.ok()) {
          Error(status);
          return;
        }
        internal::MutexLock lock(&mutex_);
        tallies_[scenario.index].sent +=
            envelope.pid == kBroadcast ? ids_.size() - 1 : 1;
      }
    }
    output_.Line(absl::StrCat("sent ", scenario.index));
  }

  void Count(const EnvelopeView& envelope) {
    std::size_t scenario = 0;
    std::uint64_t number = 0;
    internal::MutexLock lock(&mutex_);
    const bool read =
        ReadNumberedPayload(envelope.payload, &scenario, &number) &&
        envelope.payload.size() == load_.payload_bytes;
    const auto log = logs_.find({scenario, envelope.sender_id});
    if (!read || log == logs_.end()) {
      ++tallies_[0].foreign;
      return;
    }
    Tally& tally = tallies_[scenario];
    const std::uint64_t before = tally.delivered;
    log->second.Add(number, &tally);
    if (tally.delivered == before) return;
    const std::uint64_t awaited = awaited_[scenario];
    if (tally.delivered %
            std::max<std::uint64_t>(awaited / kProgressSteps, 1) ==
        0)
      output_.Line(absl::StrCat("progress ", tally.delivered));
    if (tally.delivered == awaited)
      output_.Line(absl::StrCat("received ", scenario));
  }

  void Watch(const PeerEvent& event) {
    if (event.type == PeerEvent::kUp && up_.insert(event.peer).second &&
        up_.size() == ids_.size() - 1) {
      output_.Line("connected");
    }
  }

  void Report() {
    internal::MutexLock lock(&mutex_);
    for (const Scenario& scenario : Scenarios()) {
      output_.Line(absl::StrCat("tally ", scenario.index, " ",
                                ToLine(tallies_[scenario.index])));
    }
    output_.Line("reported");
  }

  Server* const server_;
  const std::vector<int> ids_;  // sorted, this one too
  const Load load_;
  Output output_;
  std::set<int> up_;  // only callbacks use it
  std::vector<std::uint64_t> awaited_;
  internal::Mutex mutex_{
      internal::LockRank::kApplication};  // held while output_ writes
  std::vector<Tally> tallies_ CLUSTER_GUARDED_BY(mutex_);
  std::map<std::pair<std::size_t, int>, ArrivalLog> logs_
      CLUSTER_GUARDED_BY(mutex_);
  std::thread sender_;
};

}  // namespace

void RunDemoServer(int server_id, const Config& config, const Load& load) {
  std::vector<int> ids;
  for (const ServerAddress& server : config.servers) ids.push_back(server.id);
  std::sort(ids.begin(), ids.end());
  absl::StatusOr<std::unique_ptr<Server>> server = NewServer(server_id, config);
  if (!server.ok()) {
    Output(STDOUT_FILENO, -1)
        .Line(absl::StrCat("error ", server.status().message()));
    return;
  }
  DemoServer(server->get(), std::move(ids), load).Run();
}

}  // namespace demo
}  // namespace cluster
