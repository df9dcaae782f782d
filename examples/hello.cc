// Two servers of one process, and an envelope from one to the other.
//
//   bazel run //examples:hello

#include <iostream>

#include "cluster/server.h"

int main() {
  cluster::Config config;
  config.transport = "memory";  // over sockets: "zmq" or "nng", and ports below
  config.servers = {{1, "one"}, {2, "two"}};
  auto one = cluster::NewServer(1, config);
  auto two = cluster::NewServer(2, config);
  if (!one.ok() || !two.ok()) return 1;
  if (!SendMessage(**one).ok() || !ReceiveMessage(**two).ok()) return 1;

  cluster::Envelope envelope;
  envelope.pid = 2;  // or cluster::kBroadcast
  envelope.payload = "hello";
  if (absl::Status status = (*one)->Send(envelope); !status.ok()) {
    std::cerr << status << "\n";
    return 1;
  }
  absl::StatusOr<cluster::Envelope> got = (*two)->Receive(absl::Seconds(10));
  if (!got.ok()) return 1;
  std::cout << "2 got \"" << got->payload << "\" from " << got->sender_id
            << "\n";
}
