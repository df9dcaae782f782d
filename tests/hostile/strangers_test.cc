// Strangers on a cluster's ports that never send a whole frame: silent, slow,
// cut short, over-long, or by the hundred. Servers close their connections,
// free what those took, and suffer no harm.

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/harness/process_resources.h"
#include "tests/harness/transports.h"
#include "tests/hostile/besieged_cluster.h"
#include "tests/hostile/stranger.h"

namespace cluster::internal {
namespace {

constexpr int kVictim = 1;
// The same as in cluster/session/session_config.h.
constexpr std::size_t kFrameBytesMax = 17u << 20;

class StrangersTest : public testing::TestWithParam<const char*> {
 protected:
  std::string Backend() const { return GetParam(); }

  void ExpectUnharmed(BesiegedCluster* besieged) {
    besieged->Exchange(20);
    besieged->ExpectUnharmed();
    EXPECT_EQ(besieged->cluster().Stats(kVictim).inbox_bytes, 0u);
  }
};

TEST_P(StrangersTest, WhoDoesNotGreetInTimeIsShutOut) {
  BesiegedCluster besieged(Backend(), [](Config* config) {
    config->handshake_timeout = absl::Milliseconds(500);
  });
  const std::string& address = besieged.cluster().address(kVictim);
  const int files = OpenFiles();
  const std::string greeting = Greeting(Backend());
  std::vector<RawTcp> strangers;
  for (std::size_t said = 0; said < greeting.size(); said += 1 + said / 4) {
    strangers.push_back(RawTcp::Connect(address));
    strangers.back().Write(greeting.substr(0, said));
  }
  besieged.Exchange(20);
  for (RawTcp& stranger : strangers) EXPECT_TRUE(stranger.WaitForEnd());
  strangers.clear();
  EXPECT_TRUE(besieged.WaitForFiles(files));
  ExpectUnharmed(&besieged);
}

TEST_P(StrangersTest, WhoSpeaksAnotherProtocolIsShutOut) {
  BesiegedCluster besieged(Backend());
  const std::string other = Backend() == "zmq" ? "nng" : "zmq";
  const int files = OpenFiles();
  for (const std::string& text :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(100000, '\xff'),
        std::string(100000, '\0'), Greeting(other), Framed(other, "frame")}) {
    RawTcp stranger = RawTcp::Connect(besieged.cluster().address(kVictim));
    stranger.Write(text);
    stranger.FinishWriting();
    EXPECT_TRUE(stranger.WaitForEnd());
  }
  EXPECT_TRUE(besieged.WaitForFiles(files));
  ExpectUnharmed(&besieged);
}

TEST_P(StrangersTest, AFrameCutAnywhereIsDroppedWithItsConnection) {
  BesiegedCluster besieged(Backend());
  const std::string frame = besieged.tap().Sent(2, kVictim).back();
  const std::string wire = Framed(Backend(), frame);
  const ServerStats before = besieged.cluster().Stats(kVictim);
  const int files = OpenFiles();
  for (std::size_t cut = 0; cut < wire.size(); ++cut) {
    Stranger stranger(Backend(), besieged.cluster().address(kVictim));
    stranger.SayBytes(wire.substr(0, cut));
    stranger.Finish();
    EXPECT_TRUE(stranger.WaitForEnd());
  }
  EXPECT_TRUE(besieged.WaitForFiles(files));
  EXPECT_EQ(besieged.cluster().Stats(kVictim).refused, before.refused);
  ExpectUnharmed(&besieged);
}

TEST_P(StrangersTest, AClaimBeyondTheLimitEndsTheConnection) {
  BesiegedCluster besieged(Backend());
  for (std::uint64_t claim :
       {std::uint64_t{kFrameBytesMax} + 1, std::uint64_t{0x7fffffff},
        std::uint64_t{0xffffffff}}) {
    Stranger stranger(Backend(), besieged.cluster().address(kVictim));
    stranger.SayBytes(Framed(Backend(), "some of it", claim));
    EXPECT_TRUE(stranger.WaitForEnd()) << claim;
  }
  ExpectUnharmed(&besieged);
}

// Bytes that a stranger announces and does not send cost almost no memory.
TEST_P(StrangersTest, ClaimsAloneTakeNoMemory) {
  constexpr int kStrangers = 100;
  BesiegedCluster besieged(Backend());
  const int files = OpenFiles();
  const std::size_t before = ResidentBytes();
  std::vector<Stranger> strangers;
  for (int i = 0; i < kStrangers; ++i) {
    strangers.emplace_back(Backend(), besieged.cluster().address(kVictim));
    strangers.back().SayBytes(Framed(Backend(), "some of it", kFrameBytesMax));
  }
  besieged.Exchange(20);
  const std::size_t after = ResidentBytes();
  EXPECT_LT(after, before + kStrangers * kFrameBytesMax / 10);
  for (Stranger& stranger : strangers) {
    stranger.Finish();
    EXPECT_TRUE(stranger.WaitForEnd());
  }
  strangers.clear();
  EXPECT_TRUE(besieged.WaitForFiles(files));
  ExpectUnharmed(&besieged);
}

INSTANTIATE_TEST_SUITE_P(Backends, StrangersTest,
                         testing::ValuesIn(SocketTransports()), TransportName);

}  // namespace
}  // namespace cluster::internal
