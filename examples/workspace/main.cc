// Two servers over ZeroMQ, on free ports: one greets the other.

#include <iostream>

#include "cluster/server.h"

int main() {
  cluster::Config config;
  config.transport = "zmq";
  config.servers = {{1, "127.0.0.1:0"}, {2, "127.0.0.1:0"}};
  auto one = cluster::NewServer(1, config);
  auto two = cluster::NewServer(2, config);
  if (!one.ok() || !two.ok()) {
    std::cerr << one.status() << "\n" << two.status() << "\n";
    return 1;
  }
  if (!(*one)->Start().ok() || !(*two)->Start().ok()) return 1;
  // The ports are known only after Start.
  if (!(*one)->AddPeer(2, (*two)->Address()).ok()) return 1;
  if (!(*two)->AddPeer(1, (*one)->Address()).ok()) return 1;

  cluster::Envelope greeting;
  greeting.pid = 2;
  greeting.payload = "hello";
  if (!(*one)->Send(greeting).ok()) return 1;
  const auto got = (*two)->Receive(absl::Seconds(10));
  if (!got.ok()) return 1;
  std::cout << *got << " at " << (*two)->Address() << "\n";
}
