// Payloads of 64 KiB on a long line: 50 ms each way, 1 Gbit/s. It is a proxy in
// this process, with a buffer for what is on the line and 16 ms of its pace.
//
// unicast_wan: with the default limits. unicast_wan_window32: with a window of
// 32 MiB. raw_wan: what a bare connection carries through the same proxy.

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/cases.h"
#include "bench/delivery_count.h"
#include "bench/loopback_cluster.h"
#include "bench/measure.h"
#include "bench/raw_tcp.h"
#include "bench/record.h"
#include "tests/harness/tcp_proxy.h"

namespace cluster {
namespace bench {
namespace {

constexpr std::size_t kPayload = 64u << 10;
constexpr std::size_t kWideWindowBytes = 32u << 20;

constexpr std::uint64_t kLineBytesPerSecond = 125000000;
constexpr absl::Duration kLineDelay = absl::Milliseconds(50);
// 6 MiB are on their way.
constexpr std::size_t kLineBufferBytes = 8u << 20;

// About a second's worth. In a shorter round the line would be empty for most of
// the time, at its begin and end.
constexpr std::int64_t kRoundItems = 2000;

std::unique_ptr<internal::TcpProxy> NewLine(const std::string& target) {
  auto line = std::make_unique<internal::TcpProxy>(target);
  internal::NetworkConditions conditions;
  conditions.delay = kLineDelay;
  conditions.bytes_per_second = kLineBytesPerSecond;
  conditions.buffer_bytes = kLineBufferBytes;
  line->Set(conditions);
  return line;
}

void MeasureRaw(benchmark::State& state) {
  DeliveryCount count;
  TcpEndpoint receiver;
  receiver.Bind(Scheme::kTcp);
  const auto line = NewLine(absl::StrCat("127.0.0.1:", receiver.port()));
  std::thread receiving([&] {
    receiver.ReceiveAll([&](absl::string_view message) {
      char first = message.front();
      benchmark::DoNotOptimize(first);
      count.Add(1);
    });
  });
  TcpEndpoint sender;
  const std::string address = line->address();
  sender.DialPort(static_cast<std::uint16_t>(
      std::stoi(address.substr(address.rfind(':') + 1))));
  const std::string message(kPayload, 'x');
  MeasureDeliveries(
      state, kPayload, 1,
      [&](std::int64_t items) {
        count.Expect(items);
        for (std::int64_t i = 0; i < items; ++i) sender.Send(message);
        count.Wait();
      },
      kRoundItems);
  receiver.Close();
  receiving.join();
}

void MeasureCluster(benchmark::State& state, const std::string& transport,
                    std::size_t window_bytes) {
  DeliveryCount count;
  std::vector<std::unique_ptr<internal::TcpProxy>> lines;
  LoopbackOptions options;
  options.window_bytes = window_bytes;
  options.route = [&](const std::string& address) {
    lines.push_back(NewLine(address));
    return lines.back()->address();
  };
  LoopbackCluster cluster(
      transport, Scheme::kTcp, 2,
      [&](Server&) -> EnvelopeHandler {
        return [&](const EnvelopeView& envelope) {
          benchmark::DoNotOptimize(ReadFields(envelope));
          count.Add(1);
        };
      },
      options);
  Envelope envelope;
  envelope.pid = 2;
  envelope.payload.assign(kPayload, 'x');
  MeasureDeliveries(
      state, kPayload, 1,
      [&](std::int64_t items) {
        count.Expect(items);
        for (std::int64_t i = 0; i < items; ++i)
          SendOrDie(cluster.server(1), envelope);
        count.Wait();
      },
      kRoundItems);
  cluster.Stop();
}

}  // namespace

void AddRawWanCase() { AddCase(kRawWan, MeasureRaw); }

void AddWanCases(const std::string& transport) {
  const auto add = [&](const char* kind, std::size_t window_bytes) {
    AddCase(absl::StrCat(kind, transport),
            [transport, window_bytes](benchmark::State& state) {
              MeasureCluster(state, transport, window_bytes);
            });
  };
  add(kWan, 0);
  add(kWideWan, kWideWindowBytes);
}

}  // namespace bench
}  // namespace cluster
