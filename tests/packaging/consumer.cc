// A user's program on the installed library: two servers over each transport,
// or each of those named, and an envelope from each to the other.
//
// The makefile and the CMake project beside it build it.

#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "cluster/server.h"
#include "cluster/transport/registry.h"
#include "cluster/version.h"

namespace {

absl::Status Exchange(cluster::Server* from, cluster::Server* to) {
  cluster::Envelope envelope;
  envelope.pid = to->Pid();
  envelope.payload = "hello";
  absl::Status status = from->Send(envelope);
  if (!status.ok()) return status;
  const absl::StatusOr<cluster::Envelope> got = to->Receive(absl::Seconds(60));
  if (!got.ok()) return got.status();
  if (got->sender_id != from->Pid() || got->payload != "hello")
    return absl::DataLossError(got->payload);
  return absl::OkStatus();
}

absl::Status Talk(const std::string& transport) {
  const bool memory = transport == "memory";
  cluster::Config config;
  config.transport = transport;
  config.servers = {{1, memory ? "one" : "127.0.0.1:0"},
                    {2, memory ? "two" : "127.0.0.1:0"}};
  auto one = cluster::NewServer(1, config);
  if (!one.ok()) return one.status();
  auto two = cluster::NewServer(2, config);
  if (!two.ok()) return two.status();
  absl::Status status = (*one)->Start();
  status.Update((*two)->Start());
  if (!memory) {
    // Port 0 has become a number.
    status.Update((*one)->AddPeer(2, (*two)->Address()));
    status.Update((*two)->AddPeer(1, (*one)->Address()));
  }
  if (!status.ok()) return status;
  status.Update(Exchange(one->get(), two->get()));
  status.Update(Exchange(two->get(), one->get()));
  for (const cluster::PeerStats& peer : (*one)->Stats().peers)
    std::cout << transport << ": " << peer << "\n";
  return status;
}

// Uses what the author of a transport does.
absl::Status MakeBare(const std::string& transport) {
  const absl::StatusOr<cluster::TransportFactory> factory =
      cluster::FindTransport(transport);
  if (!factory.ok()) return factory.status();
  cluster::TransportConfig config;
  if (config.buffers->Lend(4096) == nullptr)
    return absl::InternalError("no buffer");
  return (*factory)(config).status();
}

}  // namespace

int main(int argc, char** argv) {
  std::cout << "cluster " << cluster::kVersion << "\n";
  std::vector<std::string> transports(argv + 1, argv + argc);
  if (transports.empty()) transports = cluster::TransportNames();
  for (const std::string& transport : transports) {
    absl::Status status = MakeBare(transport);
    status.Update(Talk(transport));
    if (!status.ok()) {
      std::cerr << transport << ": " << status << "\n";
      return 1;
    }
  }
}
