// Node: one server of the replicated map in a process: a Replica on a
// cluster::Server, a FileDisk and the clock.
//
// One thread runs it, in a loop of its own:
//
//   auto node = Node::Start(config);
//   while (poll(stdin and (*node)->descriptor(), (*node)->UntilTick()) >= 0) {
//     status = (*node)->Turn();
//     if (!status.ok()) return status;  // the disk's error: this process ends
//   }
//
// All calls come from that thread. Errors are those of NewServer, Start and
// FileDisk.

#ifndef EXAMPLES_RAFT_NODE_H_
#define EXAMPLES_RAFT_NODE_H_

#include <list>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cluster/caller.h"
#include "cluster/config.h"
#include "cluster/server.h"
#include "examples/raft/file_disk.h"
#include "examples/raft/replica.h"

namespace raft {

struct NodeConfig {
  cluster::Config cluster;  // its servers are the members of Raft
  ReplicaConfig replica;  // `id` is this server's; Start sets members and seed
  std::string folder;     // of the journal
  FileDisk::Durability durability = FileDisk::kSync;
  absl::Duration tick = absl::Milliseconds(10);
};

class Node {
 public:
  static absl::StatusOr<std::unique_ptr<Node>> Start(const NodeConfig& config);
  ~Node();  // stops
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // Readable while there is something to receive.
  int descriptor() const { return descriptor_; }
  absl::Duration UntilTick() const;
  // Takes what has arrived, ticks if it is time, and then stores, sends and
  // applies what follows. Call it after Execute too.
  absl::Status Turn();

  // Runs a command on the leader, wherever that is, and waits for one to be
  // elected. `done` runs once, in a Turn or on a thread of Caller:
  // kDeadlineExceeded: not done in time; it may still run. kUnknown: the leader
  // is gone; it may have run. Raft runs it once at most.
  void Execute(std::string command, absl::Duration patience,
               Replica::Done done);

  cluster::Server& server() { return *server_; }
  const Replica& replica() const { return replica_; }

 private:
  struct Command {
    std::string text;
    absl::Time deadline;
    Replica::Done done;  // null once it has run
  };
  using CommandRef = std::shared_ptr<Command>;

  Node(const NodeConfig& config, std::unique_ptr<cluster::Server> server,
       std::unique_ptr<FileDisk> disk, Persistent persistent);

  void Send(const cluster::Envelope& envelope);
  void OnEnvelope(const cluster::Envelope& envelope);
  void Serve(const cluster::Envelope& request);
  bool Try(const CommandRef& command);
  void Finish(const CommandRef& command,
              const absl::StatusOr<std::string>& result);
  void TryWaiting();

  const NodeConfig config_;
  const std::unique_ptr<cluster::Server> server_;
  int descriptor_ = -1;
  const std::unique_ptr<FileDisk> disk_;
  Replica replica_;
  absl::Time next_tick_;
  std::list<CommandRef> waiting_;   // for a leader
  std::list<CommandRef> proposed_;  // here
  cluster::Caller caller_;          // ends its calls first
};

}  // namespace raft

#endif  // EXAMPLES_RAFT_NODE_H_
