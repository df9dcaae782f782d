// Envelopes whose copies the library may save, each beside the plain way, at 64 KiB
// and 1 MiB. A payload that is made for each envelope: made, and moved. One of two
// pieces: joined, and pieces. One that the receiver keeps: copied, and kept.

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/cases.h"
#include "bench/delivery_count.h"
#include "bench/loopback_cluster.h"
#include "bench/measure.h"
#include "bench/record.h"

namespace cluster {
namespace bench {
namespace {

// The receiver keeps so many payloads at a time.
constexpr std::size_t kKept = 16;
constexpr std::size_t kPieceBytes = 64;  // of the first one

enum class Copies { kMade, kMoved, kJoined, kPieces, kCopied, kKept };

void Check(const absl::Status& status) {
  if (!status.ok()) {
    std::cerr << status << "\n";
    std::abort();
  }
}

// Makes the payload of one envelope, and sends it.
void SendOne(Server& server, Copies copies, const std::string& source) {
  const absl::Duration wait = absl::InfiniteDuration();
  Envelope envelope;
  envelope.pid = 2;
  envelope.term = 7;
  switch (copies) {
    case Copies::kMade:
      envelope.payload = source;
      return Check(server.Send(envelope, wait));
    case Copies::kMoved:
      envelope.payload = source;
      return Check(server.Send(std::move(envelope), wait));
    case Copies::kPieces: {
      const absl::string_view all = source;
      SendOptions options;
      options.timeout = wait;
      return Check(
          server
              .SendPieces(envelope,
                          {all.substr(0, kPieceBytes), all.substr(kPieceBytes)},
                          options)
              .status());
    }
    case Copies::kJoined:
      envelope.payload.reserve(source.size());
      envelope.payload.append(source, 0, kPieceBytes);
      envelope.payload.append(source, kPieceBytes);
      return Check(server.Send(envelope, wait));
    case Copies::kCopied:
    case Copies::kKept: {
      EnvelopeView view(envelope);
      view.payload = source;
      return Check(server.Send(view, wait));
    }
  }
}

void MeasureCopies(benchmark::State& state, const std::string& transport,
                   Copies copies, std::size_t bytes) {
  const auto counts = NewDeliveryCounts(1);
  DeliveryCount* const count = counts[0].get();
  std::vector<std::string> copied(kKept);
  std::vector<KeptPayload> kept(kKept);
  std::size_t at = 0;
  const auto make_handler = [&](Server& self) -> EnvelopeHandler {
    if (self.Pid() == 1) return nullptr;
    return [&](const EnvelopeView& envelope) {
      benchmark::DoNotOptimize(ReadFields(envelope));
      at = (at + 1) % kKept;
      if (copies == Copies::kCopied) {
        copied[at].assign(envelope.payload.data(), envelope.payload.size());
      } else if (copies == Copies::kKept) {
        kept[at] = *self.Keep(envelope);
      }
      count->Add(1);
    };
  };
  LoopbackCluster cluster(transport, Scheme::kTcp, 2, make_handler,
                          {Secrecy::kPlaintext});
  const std::string source(bytes, 'x');
  MeasureDeliveries(state, bytes, 1, [&](std::int64_t items) {
    count->Expect(items);
    for (std::int64_t i = 0; i < items; ++i)
      SendOne(cluster.server(1), copies, source);
    count->Wait();
  });
  cluster.Stop();
}

}  // namespace

void AddCopyCases(const std::string& transport, int bytes) {
  if (bytes < 65536) return;
  const std::pair<const char*, Copies> cases[] = {
      {"made", Copies::kMade},     {"moved", Copies::kMoved},
      {"joined", Copies::kJoined}, {"pieces", Copies::kPieces},
      {"copied", Copies::kCopied}, {"kept", Copies::kKept}};
  for (const auto& [name, copies] : cases) {
    AddCase(CaseName(name, transport, bytes), [transport, copies = copies,
                                               bytes](benchmark::State& state) {
      MeasureCopies(state, transport, copies, static_cast<std::size_t>(bytes));
    });
  }
}

}  // namespace bench
}  // namespace cluster
