// Replayed and late connections change no session and deliver no envelope
// twice.

#include <chrono>
#include <iostream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/chaos/chaos_cluster.h"
#include "tests/harness/seed.h"

namespace cluster::internal {
namespace {

using ::testing::IsEmpty;

constexpr std::size_t kRecordBytes = 1u << 20;
constexpr std::chrono::seconds kPatience{60};

class ReplayTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { std::cout << "CLUSTER_TEST_SEED=" << seed_ << "\n"; }

  static bool IsSecured() {
    return BackendConfig(GetParam()).security.mode ==
           SecurityConfig::Mode::kMutual;
  }

  static Config ReplayConfig() {
    Config config = ChaosConfig(GetParam());
    // nng may notice a replayed handshake only by this timeout.
    if (IsSecured()) config.handshake_timeout = absl::Seconds(1);
    return config;
  }

  // How many replayed frames of 1 server 2 refused for that reason. With
  // security it refuses the connection, since no byte becomes a frame.
  static std::uint64_t Refused(ChaosCluster* cluster, RefusalReason reason) {
    if (!IsSecured()) return cluster->Stats(2, 1).Refused(reason);
    const ServerStats stats = cluster->cluster().Stats(2);
    return stats.Refused(RefusalReason::kUnauthenticated) +
           stats.Refused(RefusalReason::kMalformed) +
           stats.Refused(RefusalReason::kSilent);
  }

  // Sends one envelope after the other from 1 to 2 until 2 has refused so many.
  // No event reports every refusal, so this must look again and again.
  static void SendUntilRefused(ChaosCluster* cluster, RefusalReason reason,
                               std::uint64_t count) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (Refused(cluster, reason) < count) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline)
          << "what was replayed is not refused";
      cluster->SendOne(1, 2);
      ASSERT_TRUE(cluster->ledger().WaitUntilAllArrived());
    }
  }

  // The bytes that 1 sent to 2, by connection.
  static std::vector<Recording> Recorded(ChaosCluster* cluster) {
    std::vector<Recording> recordings = cluster->proxy(1, 2).Recordings();
    EXPECT_FALSE(recordings.empty());
    for (const Recording& recording : recordings) {
      EXPECT_GT(recording.size(), 1000u);
      EXPECT_LT(recording.size(), kRecordBytes) << "cut short";
    }
    return recordings;
  }

  static void Replay(ChaosCluster* cluster,
                     const std::vector<Recording>& recordings) {
    for (const Recording& recording : recordings)
      cluster->proxy(1, 2).Replay(recording);
  }

  const std::uint64_t seed_ = TestSeed();
};

TEST_P(ReplayTest, ASessionSaidAgainWhileItLivesIsRefused) {
  ChaosCluster cluster(ReplayConfig(), 2,
                       [](TcpProxy* proxy) { proxy->Record(kRecordBytes); });
  ASSERT_TRUE(cluster.Start());
  cluster.Exchange(100, seed_);
  cluster.ExpectAllOnce();
  const std::vector<Recording> recordings = Recorded(&cluster);
  const std::uint64_t before = Refused(&cluster, RefusalReason::kDuplicate);
  for (int times = 1; times <= 3; ++times) {
    Replay(&cluster, recordings);
    SendUntilRefused(&cluster, RefusalReason::kDuplicate, before + times);
    cluster.Exchange(100, seed_ + times);
    cluster.ExpectAllOnce(/*strangers=*/IsSecured());
  }
}

TEST_P(ReplayTest, ASessionSaidAgainAfterTheNextBeganIsRefused) {
  ChaosCluster cluster(ReplayConfig(), 2,
                       [](TcpProxy* proxy) { proxy->Record(kRecordBytes); });
  ASSERT_TRUE(cluster.Start());
  cluster.Exchange(100, seed_);
  cluster.ExpectAllOnce();
  cluster.cluster().Stop(1);  // its goodbye is in the recording
  const std::vector<Recording> recordings = Recorded(&cluster);
  ASSERT_TRUE(cluster.cluster().Restart(1));
  cluster.SendOne(1, 2);
  cluster.SendOne(2, 1);
  ASSERT_TRUE(cluster.ledger().WaitUntilAllArrived());
  ASSERT_TRUE(cluster.cluster().FlushAll());
  ASSERT_EQ(cluster.Stats(2, 1).sessions, 2u);

  const std::uint64_t before =
      Refused(&cluster, RefusalReason::kUnknownSession);
  for (int times = 1; times <= 3; ++times) {
    Replay(&cluster, recordings);
    SendUntilRefused(&cluster, RefusalReason::kUnknownSession, before + times);
    cluster.Exchange(100, seed_ + times);
    EXPECT_TRUE(cluster.ledger().WaitUntilAllArrived());
  }
  EXPECT_THAT(cluster.ledger().Problems(), IsEmpty());
  EXPECT_EQ(cluster.Stats(2, 1).sessions, 2u);
  EXPECT_EQ(cluster.Stats(1, 2).sessions, 1u);
}

// The network held bytes of a connection that the dialler gave up. They arrive
// when the dialler already uses the next connection.
TEST_P(ReplayTest, LateBytesOfAConnectionThatWasGivenUpHarmNobody) {
  ChaosCluster cluster(ChaosConfig(GetParam()), 2);
  ASSERT_TRUE(cluster.Start());
  NetworkConditions stall;
  stall.stalled = true;
  for (int times = 0; times < 5; ++times) {
    cluster.Exchange(100, seed_ + 2 * times);
    ASSERT_TRUE(cluster.ledger().WaitUntilAllArrived());
    TcpProxy& proxy = cluster.proxy(1, 2);
    constexpr auto kForward = static_cast<std::size_t>(Way::kForward);
    proxy.Set(stall);
    const std::uint64_t taken = proxy.Figures().taken[kForward];
    cluster.Exchange(100, seed_ + 2 * times + 1);
    ASSERT_TRUE(proxy.WaitUntil(
        [&](const ProxyFigures& now) { return now.taken[kForward] > taken; }));
    proxy.Lose(Side::kDialler);
    proxy.Set({});
  }
  cluster.ExpectAllOnce();
}

INSTANTIATE_TEST_SUITE_P(Backends, ReplayTest, testing::ValuesIn(Backends()),
                         [](const testing::TestParamInfo<const char*>& info) {
                           return std::string(info.param);
                         });

}  // namespace
}  // namespace cluster::internal
