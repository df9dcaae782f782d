// Two servers of one process, and an envelope from one to the other.
//
//   bazel run //examples:hello

#include <iostream>

#include "cluster/server.h"

int Fail(const absl::Status& status) {
  std::cerr << status << "\n";
  return 1;
}

int main() {
  cluster::Config config;
  config.transport = "memory";  // over sockets: "zmq" or "nng", and ports below
  config.servers = {{1, "one"}, {2, "two"}};
  auto one = cluster::NewServer(1, config);
  auto two = cluster::NewServer(2, config);
  if (!one.ok()) return Fail(one.status());
  if (!two.ok()) return Fail(two.status());
  absl::Status status = SendMessage(**one);
  status.Update(ReceiveMessage(**two));

  cluster::Envelope envelope;
  envelope.pid = 2;  // or cluster::kBroadcast
  envelope.payload = "hello";
  status.Update((*one)->Send(envelope));
  if (!status.ok()) return Fail(status);
  absl::StatusOr<cluster::Envelope> got = (*two)->Receive(absl::Seconds(10));
  if (!got.ok()) return Fail(got.status());
  std::cout << "2 got \"" << got->payload << "\" from " << got->sender_id
            << "\n";
}
