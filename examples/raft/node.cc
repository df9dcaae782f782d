#include "examples/raft/node.h"

#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "examples/raft/coding.h"
#include "examples/raft/send_options.h"

namespace raft {
namespace {

using cluster::Envelope;
using cluster::EnvelopeView;

constexpr auto kCommandRequest = static_cast<cluster::MsgType>(70);
constexpr auto kCommandResponse = static_cast<cluster::MsgType>(71);
// Taken in one Turn, so that ticks are not late.
constexpr int kItemsMax = 1000;

std::string EncodeResult(const absl::StatusOr<std::string>& result) {
  std::string bytes;
  Put(static_cast<std::uint64_t>(result.status().code()), &bytes);
  bytes += result.ok() ? *result : std::string(result.status().message());
  return bytes;
}

absl::StatusOr<std::string> DecodeResult(absl::string_view bytes) {
  std::uint64_t code = 0;
  if (!Take(&bytes, &code)) return absl::InternalError("an answer too short");
  if (code == 0) return std::string(bytes);
  return absl::Status(static_cast<absl::StatusCode>(code), bytes);
}

// It never ran and never will: the next leader may have it.
bool NeverRan(const absl::Status& status) {
  return absl::IsFailedPrecondition(status) || absl::IsAborted(status) ||
         absl::IsUnavailable(status);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Node>> Node::Start(const NodeConfig& config) {
  NodeConfig filled = config;
  for (const cluster::ServerAddress& server : config.cluster.servers)
    filled.replica.members.insert(server.id);
  filled.replica.seed = std::random_device()();
  auto server = cluster::NewServer(config.replica.id, config.cluster);
  if (!server.ok()) return server.status();
  Persistent persistent;
  auto disk = FileDisk::Open(config.folder, config.durability, &persistent);
  if (!disk.ok()) return disk.status();
  std::unique_ptr<Node> node(new Node(filled, *std::move(server),
                                      *std::move(disk), std::move(persistent)));
  const absl::StatusOr<int> descriptor = node->server_->NotifyFd();
  if (!descriptor.ok()) return descriptor.status();
  node->descriptor_ = *descriptor;
  if (absl::Status status = node->server_->Start(); !status.ok()) return status;
  if (absl::Status status = node->Turn(); !status.ok()) return status;
  return node;
}

Node::Node(const NodeConfig& config, std::unique_ptr<cluster::Server> server,
           std::unique_ptr<FileDisk> disk, Persistent persistent)
    : config_(config),
      server_(std::move(server)),
      disk_(std::move(disk)),
      replica_(config.replica, std::move(persistent), disk_.get(),
               [this](const Envelope& envelope) { Send(envelope); }),
      next_tick_(absl::Now() + config.tick),
      caller_(server_.get()) {}

Node::~Node() { server_->Stop(); }

absl::Duration Node::UntilTick() const {
  return std::max(next_tick_ - absl::Now(), absl::ZeroDuration());
}

absl::Status Node::Turn() {
  for (int items = 0; items < kItemsMax; ++items) {
    absl::StatusOr<cluster::Item> item =
        server_->ReceiveAny(absl::ZeroDuration());
    if (absl::IsDeadlineExceeded(item.status())) break;
    if (!item.ok()) return item.status();
    if (item->event) caller_.OnPeerEvent(*item->event);
    if (item->envelope) OnEnvelope(*item->envelope);
  }
  if (UntilTick() == absl::ZeroDuration()) {
    // After a standstill the time that is lost is no reason for an election.
    next_tick_ = absl::Now() + config_.tick;
    replica_.Tick();
    TryWaiting();
  }
  return replica_.Work();
}

void Node::OnEnvelope(const Envelope& envelope) {
  if (caller_.OnEnvelope(envelope)) return;
  if (envelope.msg_type == kCommandRequest) {
    Serve(envelope);
  } else {
    replica_.OnEnvelope(envelope);
  }
}

// An envelope that is not sent is as good as one that is lost.
void Node::Send(const Envelope& envelope) {
  server_
      ->Send(envelope, OptionsOf(envelope, config_.replica.election_ticks_max *
                                               config_.tick))
      .IgnoreError();
}

void Node::Serve(const Envelope& request) {
  Envelope asked = request;
  asked.payload.clear();
  replica_.Propose(request.payload,
                   [this, asked](const absl::StatusOr<std::string>& result) {
                     Envelope answer;
                     answer.msg_type = kCommandResponse;
                     answer.payload = EncodeResult(result);
                     caller_.Answer(asked, answer)
                         .IgnoreError();  // the caller has a deadline
                   });
}

void Node::Execute(std::string command, absl::Duration patience,
                   Replica::Done done) {
  auto waiting = std::make_shared<Command>();
  waiting->text = std::move(command);
  waiting->deadline = absl::Now() + patience;
  waiting->done = std::move(done);
  if (!Try(waiting)) waiting_.push_back(waiting);
}

// False: no leader takes it now.
bool Node::Try(const CommandRef& command) {
  const int leader = replica_.raft().leader();
  if (leader == kNobody) return false;
  const auto finish = [this,
                       command](const absl::StatusOr<std::string>& result) {
    if (result.ok() || !NeverRan(result.status())) {
      Finish(command, result);
    } else {
      waiting_.push_back(command);
    }
  };
  if (leader == config_.replica.id) {
    replica_.Propose(command->text, finish);
    proposed_.push_back(command);
    return true;
  }
  Envelope request;
  request.msg_type = kCommandRequest;
  request.payload = command->text;
  return caller_
      .Call(leader, request, command->deadline - absl::Now(),
            [finish](const absl::StatusOr<EnvelopeView>& answer) {
              finish(answer.ok()
                         ? DecodeResult(answer->payload)
                         : absl::StatusOr<std::string>(answer.status()));
            })
      .ok();
}

void Node::Finish(const CommandRef& command,
                  const absl::StatusOr<std::string>& result) {
  if (const Replica::Done done = std::exchange(command->done, nullptr))
    done(result);
}

void Node::TryWaiting() {
  const absl::Time now = absl::Now();
  proposed_.remove_if([&](const CommandRef& command) {
    if (command->done != nullptr && now >= command->deadline) {
      Finish(command, absl::DeadlineExceededError(
                          "no majority in time; the command may still run"));
    }
    return command->done == nullptr;
  });
  for (const CommandRef& command : std::exchange(waiting_, {})) {
    if (command->done == nullptr) continue;
    if (now >= command->deadline) {
      Finish(command, absl::DeadlineExceededError(
                          "no leader in time; the command did not run"));
    } else if (!Try(command)) {
      waiting_.push_back(command);
    }
  }
}

}  // namespace raft
