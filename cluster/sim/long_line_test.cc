// Streams on long and on slow lines, and the wait of urgent envelopes beside
// them.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "cluster/sim/sim_cluster.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

constexpr std::size_t kPayloadBytes = 64u << 10;
// Only one is in transit at a time, so that none waits for another.
constexpr absl::Duration kUrgentEvery = absl::Milliseconds(300);

// Server 1 sends to server 2, as much as its queue takes.
class LineTest : public testing::Test, public SimApplication {
 protected:
  void Make(std::uint64_t bytes_per_second, absl::Duration each_way,
            internal::SessionConfig config = SimSessionConfig()) {
    config_ = config;
    cluster_ = std::make_unique<SimCluster>(/*seed=*/1, 2, config, this);
    for (const auto& server : cluster_->servers())
      server->SetPace({absl::ZeroDuration(), 0, absl::ZeroDuration()});
    SetLine(bytes_per_second, each_way);
    cluster_->Start();
  }
  void SetLine(std::uint64_t bytes_per_second, absl::Duration each_way) {
    NetworkFaults line;
    line.delay_min = line.delay_max = each_way;
    line.bytes_per_second = bytes_per_second;
    line.connection_bytes_max = 64u << 20;
    cluster_->network().SetFaults(line);
  }

  // Returns the rate, and forgets what was measured before.
  double BytesPerSecond(absl::Duration duration) {
    bytes_ = inflight_most_ = 0;
    waits_.clear();
    cluster_->RunFor(duration);
    EXPECT_TRUE(cluster_->checker().ok())
        << cluster_->checker().violations().front();
    return static_cast<double>(bytes_) / absl::ToDoubleSeconds(duration);
  }
  // The longest that an urgent envelope was on its way.
  absl::Duration UrgentMost() {
    return *std::max_element(waits_.begin(), waits_.end());
  }

  internal::SessionConfig config_;
  Lane lane_ = Lane::kNormal;
  std::size_t payload_bytes_ = kPayloadBytes;
  std::size_t inflight_most_ = 0;

 private:
  void OnPeerEvent(SimServer& server, const PeerEvent& event) override {
    if (server.id() != 1 || event.type != PeerEvent::kUp) return;
    Fill(&server);
    Hurry(&server);
  }
  void OnEnvelope(SimServer& server, const EnvelopeView& envelope) override {
    bytes_ += envelope.payload.size();
    if (envelope.lane == Lane::kUrgent)
      waits_.push_back(
          server.world().Now() -
          absl::FromUnixMicros(static_cast<std::int64_t>(envelope.term)));
  }

  void Fill(SimServer* server) {
    Envelope envelope;
    envelope.pid = 2;
    envelope.lane = lane_;
    envelope.payload.assign(payload_bytes_, 'x');
    while (server->Send(envelope) > 0) {
    }
    inflight_most_ =
        std::max(inflight_most_, cluster_->network().BytesOnTheWay(1, 2));
    server->world().After(absl::Milliseconds(1), [=] { Fill(server); });
  }
  void Hurry(SimServer* server) {
    Envelope envelope;
    envelope.pid = 2;
    envelope.lane = Lane::kUrgent;
    envelope.term =
        static_cast<std::uint64_t>(absl::ToUnixMicros(server->world().Now()));
    server->Send(envelope);
    server->world().After(kUrgentEvery, [=] { Hurry(server); });
  }

  std::unique_ptr<SimCluster> cluster_;
  std::uint64_t bytes_ = 0;
  std::vector<absl::Duration> waits_;
};

constexpr std::uint64_t kGigabit = 125000000;
constexpr absl::Duration kFar = absl::Milliseconds(50);  // each way
const double kFarHolds = 125e6 * 0.1;

// The window holds less than the line.
TEST_F(LineTest, ALongLineCarriesWhatTheWindowAllows) {
  Make(kGigabit, kFar);
  (void)BytesPerSecond(absl::Seconds(1));
  EXPECT_GT(BytesPerSecond(absl::Seconds(2)), 0.6 * kGigabit);
  EXPECT_LE(inflight_most_, config_.window_bytes);
}

TEST_F(LineTest, ALongLineIsFullWithALargerWindow) {
  internal::SessionConfig config = SimSessionConfig();
  config.window_bytes = 32u << 20;
  Make(kGigabit, kFar, config);
  (void)BytesPerSecond(absl::Seconds(1));
  EXPECT_GT(BytesPerSecond(absl::Seconds(2)), 0.9 * kGigabit);
  EXPECT_LT(static_cast<double>(inflight_most_), 2.1 * kFarHolds);
  // As much again waits before the line as it holds.
  EXPECT_LT(UrgentMost(), 3.1 * kFar);
}

// With half of what the line holds before urgent envelopes.
TEST_F(LineTest, BulkFillsALongLineAndHardlyMore) {
  internal::SessionConfig config = SimSessionConfig();
  config.window_bytes = 32u << 20;
  lane_ = Lane::kBulk;
  Make(kGigabit, kFar, config);
  (void)BytesPerSecond(absl::Seconds(2));
  EXPECT_GT(BytesPerSecond(absl::Seconds(2)), 0.9 * kGigabit);
  EXPECT_LT(static_cast<double>(inflight_most_), 1.6 * kFarHolds);
  EXPECT_LT(UrgentMost(), 2.1 * kFar);
}

// However long the stream lasts: its own queue is not taken for a long line.
TEST_F(LineTest, ASlowLineHasNoMoreInTransitThanInflightBytesAllow) {
  constexpr std::uint64_t kSlow = 10000000;
  Make(kSlow, absl::Microseconds(500));
  EXPECT_GT(BytesPerSecond(absl::Seconds(25)), 0.98 * kSlow);
  const std::size_t half = config_.inflight_bytes / 2;
  EXPECT_LE(inflight_most_, half + kPayloadBytes);
  EXPECT_LT(UrgentMost(), absl::Seconds(static_cast<double>(half) / kSlow) +
                              absl::Milliseconds(10));
}

TEST_F(LineTest, ALineThatGetsLongerIsNoticed) {
  Make(kGigabit, absl::Microseconds(500));
  (void)BytesPerSecond(absl::Seconds(1));
  SetLine(kGigabit, kFar);
  (void)BytesPerSecond(internal::kRttMemory + absl::Seconds(2));
  EXPECT_GT(BytesPerSecond(absl::Seconds(1)), 0.6 * kGigabit);
}

}  // namespace
}  // namespace cluster
