// Envelopes of the library. To one peer, by each way to receive: unicast,
// receive, receive_batch. To three: broadcast3. From four threads: senders4.
// Over sockets in the file system: unicast_ipc. With security: unicast_secure.

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/cases.h"
#include "bench/delivery_count.h"
#include "bench/loopback_cluster.h"
#include "bench/measure.h"
#include "bench/record.h"

namespace cluster {
namespace bench {
namespace {

constexpr int kSecureBytesMax = 65536;

enum class Way { kHandler, kReceive, kReceiveBatch };

struct ClusterCase {
  std::string transport;
  Scheme scheme = Scheme::kTcp;
  Way way = Way::kHandler;
  Secrecy secrecy = Secrecy::kPlaintext;
  int recipients = 1;
  int senders = 1;  // threads
  std::size_t payload_bytes = 0;
};

// Takes envelopes until the server stops.
void ReceiveAll(Server& server, Way way, DeliveryCount* count) {
  if (way == Way::kReceive) {
    for (auto next = server.Receive(); next.ok(); next = server.Receive()) {
      benchmark::DoNotOptimize(ReadFields(*next));
      count->Add(1);
    }
    return;
  }
  constexpr int kEnvelopesMax = 256;
  std::vector<Envelope> envelopes;
  while (server.ReceiveBatch(&envelopes, kEnvelopesMax).ok()) {
    for (const Envelope& envelope : envelopes) {
      benchmark::DoNotOptimize(ReadFields(envelope));
    }
    count->Add(static_cast<std::int64_t>(envelopes.size()));
  }
}

void SendMany(Server& server, const Envelope& envelope, std::int64_t items) {
  for (std::int64_t i = 0; i < items; ++i) SendOrDie(server, envelope);
}

void MeasureCluster(benchmark::State& state, const ClusterCase& test) {
  // The counts of server 2 and so on.
  const auto counts = NewDeliveryCounts(test.recipients);
  const auto make_handler = [&](Server& self) -> EnvelopeHandler {
    if (self.Pid() == 1 || test.way != Way::kHandler) return nullptr;
    return [count = counts[static_cast<std::size_t>(self.Pid() - 2)].get()](
               const EnvelopeView& envelope) {
      benchmark::DoNotOptimize(ReadFields(envelope));
      count->Add(1);
    };
  };
  LoopbackCluster cluster(test.transport, test.scheme, 1 + test.recipients,
                          make_handler, {test.secrecy});
  std::thread receiver;
  if (test.way != Way::kHandler) {
    receiver = std::thread(
        [&] { ReceiveAll(cluster.server(2), test.way, counts[0].get()); });
  }
  Envelope envelope;
  envelope.pid = test.recipients > 1 ? kBroadcast : 2;
  envelope.term = 7;
  envelope.payload.assign(test.payload_bytes, 'x');
  MeasureDeliveries(
      state, test.payload_bytes, test.recipients, [&](std::int64_t items) {
        for (const auto& count : counts) count->Expect(items);
        if (test.senders == 1) {
          SendMany(cluster.server(1), envelope, items);
        } else {
          RunInShares(items, test.senders, [&](std::int64_t share) {
            SendMany(cluster.server(1), envelope, share);
          });
        }
        for (const auto& count : counts) count->Wait();
      });
  state.counters["items_per_frame"] = ItemsPerFrame(cluster);
  cluster.Stop();
  if (receiver.joinable()) receiver.join();
}

void AddClusterCase(const std::string& kind, const ClusterCase& test) {
  AddCase(CaseName(kind, test.transport, static_cast<int>(test.payload_bytes)),
          [test](benchmark::State& state) { MeasureCluster(state, test); });
}

}  // namespace

void AddClusterThroughputCases(const std::string& transport, int bytes) {
  ClusterCase plain;
  plain.transport = transport;
  plain.payload_bytes = static_cast<std::size_t>(bytes);
  AddClusterCase("unicast", plain);

  if (bytes <= kSecureBytesMax) {
    ClusterCase secure = plain;
    secure.secrecy = Secrecy::kMutual;
    AddClusterCase("unicast_secure", secure);
  }

  ClusterCase receive = plain;
  receive.way = Way::kReceive;
  AddClusterCase("receive", receive);
  receive.way = Way::kReceiveBatch;
  AddClusterCase("receive_batch", receive);

  ClusterCase broadcast = plain;
  broadcast.recipients = 3;
  AddClusterCase("broadcast3", broadcast);
  if (bytes != 64) return;

  ClusterCase senders = plain;
  senders.senders = 4;
  AddClusterCase("senders4", senders);
  ClusterCase ipc = plain;
  ipc.scheme = Scheme::kIpc;
  AddClusterCase("unicast_ipc", ipc);
}

}  // namespace bench
}  // namespace cluster
