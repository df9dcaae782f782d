// Real frames, changed at random and sent to a server while its cluster works.

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/harness/seed.h"
#include "tests/harness/transports.h"
#include "tests/hostile/besieged_cluster.h"
#include "tests/hostile/forgery.h"
#include "tests/hostile/stranger.h"

namespace cluster::internal {
namespace {

constexpr int kVictim = 1;
constexpr int kForgeries = 4000;
constexpr int kStreams = 1000;
// Larger frames would show no more, and take longer.
constexpr std::size_t kFrameBytesKept = 4000;

class MutationStormTest : public testing::TestWithParam<const char*> {
 protected:
  std::uint64_t Below(std::uint64_t bound) { return random_() % bound; }

  // Records frames of all directions, so that some name the wrong sender or the
  // wrong recipient.
  void Record() {
    besieged_.Exchange(50);
    for (int from : besieged_.cluster().ids()) {
      for (int to : besieged_.cluster().ids()) {
        for (std::string& frame : besieged_.tap().Sent(from, to)) {
          if (frame.size() <= kFrameBytesKept)
            frames_.push_back(std::move(frame));
        }
      }
    }
    ASSERT_GT(frames_.size(), 50u);
  }

  const std::string& AnyFrame() { return frames_[Below(frames_.size())]; }

  void FlipBits(std::size_t from, std::string* bytes) {
    if (bytes->size() <= from) return;
    for (std::uint64_t n = 1 + Below(8); n > 0; --n) {
      char& byte = (*bytes)[from + Below(bytes->size() - from)];
      byte = static_cast<char>(byte ^ (1 << Below(8)));
    }
  }

  // Flips, cuts or lengthens the bytes, or joins their front to the back of
  // another. The result always differs.
  std::string Mutated(const std::string& bytes, const std::string& other) {
    while (true) {
      std::string mutated = MutatedOnce(bytes, other);
      if (mutated != bytes && mutated != other) return mutated;
    }
  }

  std::string MutatedOnce(std::string bytes, const std::string& other) {
    switch (Below(4)) {
      case 0:
        FlipBits(0, &bytes);
        return bytes;
      case 1:
        return bytes.substr(0, 1 + Below(bytes.size()));
      case 2:
        return bytes + other.substr(0, 1 + Below(other.size()));
      default:
        return bytes.substr(0, 1 + Below(bytes.size())) +
               other.substr(Below(other.size()));
    }
  }

  // As Mutated, but with the right checksums and length, to test the checks
  // behind them. The frame names another session: a sender that knows the
  // session may do anything to it.
  std::string MutatedBehindChecksums() {
    std::string frame = AnyFrame();
    const std::uint64_t session = HeaderOf(frame).session;
    const bool hello = HeaderOf(frame).kind == FrameKind::kHello;
    if (Below(2) == 0)
      frame = frame.substr(0, kFrameHeaderBytes) + Mutated(AnyFrame(), frame);
    FlipBits(Below(2) == 0 ? 5 : kFrameHeaderBytes, &frame);
    StoreLittleEndian(frame.size() - kFrameHeaderBytes, 4, 16, &frame);
    if (!hello || frame[5] != static_cast<char>(FrameKind::kHello))
      StoreLittleEndian(session ^ (1 + Below(1u << 30)), 8, 32, &frame);
    return Restamped(std::move(frame));
  }

  static void StoreLittleEndian(std::uint64_t value, int bytes, std::size_t at,
                                std::string* frame) {
    for (int i = 0; i < bytes; ++i)
      (*frame)[at + static_cast<std::size_t>(i)] =
          static_cast<char>(value >> (8 * i));
  }

  std::uint64_t RefusedSum() {
    const ServerStats stats = besieged_.cluster().Stats(kVictim);
    std::uint64_t sum = 0;
    for (std::uint64_t count : stats.refused) sum += count;
    for (const PeerStats& peer : stats.peers) {
      for (std::uint64_t count : peer.refused) sum += count;
    }
    return sum;
  }

  BesiegedCluster besieged_{GetParam()};
  std::mt19937_64 random_{TestSeed()};
  std::vector<std::string> frames_;
};

TEST_P(MutationStormTest, EveryMutatedFrameIsCountedAndCostsNothing) {
  Record();
  for (int i = 0; i < kForgeries; ++i) {
    const std::string frame = Below(2) == 0 ? MutatedBehindChecksums()
                                            : Mutated(AnyFrame(), AnyFrame());
    FrameHeader header;
    absl::string_view body;
    const bool good = DecodeFrame(frame, &header, &body) == FrameError::kNone;
    // The server answers a hello that proves nothing, and does not refuse it.
    const bool counted = !good || header.kind != FrameKind::kHello;
    const std::uint64_t before = RefusedSum();
    besieged_.tap().Watch(kVictim, frame);
    Stranger stranger(GetParam(), besieged_.cluster().address(kVictim));
    stranger.Say(frame);
    ASSERT_TRUE(besieged_.tap().WaitUntilHandled(kVictim, frame));
    EXPECT_GE(RefusedSum(), before + (counted ? 1 : 0)) << "forgery " << i;
    if (i % 50 == 0) besieged_.Send(1);
  }
  besieged_.Exchange(20);
  besieged_.ExpectUnharmed();
  EXPECT_EQ(besieged_.cluster().Stats(kVictim).inbox_bytes, 0u);
}

// The same with the bytes that the backend reads itself, such as greetings and
// lengths.
TEST_P(MutationStormTest, MutatedStreamsCostNothing) {
  Record();
  const int files = OpenFiles();
  for (int i = 0; i < kStreams; ++i) {
    // Frames without their first byte are invalid, wherever the stream is cut.
    const std::string stream = Framed(GetParam(), AnyFrame().substr(1)) +
                               Framed(GetParam(), AnyFrame().substr(1));
    if (Below(2) == 0) {
      RawTcp stranger = RawTcp::Connect(besieged_.cluster().address(kVictim));
      stranger.Write(Mutated(Greeting(GetParam()) + stream, AnyFrame()));
      stranger.FinishWriting();
      EXPECT_TRUE(stranger.WaitForEnd());
    } else {
      Stranger stranger(GetParam(), besieged_.cluster().address(kVictim));
      stranger.SayBytes(Mutated(stream, AnyFrame()));
      stranger.Finish();
      EXPECT_TRUE(stranger.WaitForEnd());
    }
    if (i % 50 == 0) besieged_.Send(1);
  }
  EXPECT_TRUE(besieged_.WaitForFiles(files));
  besieged_.Exchange(20);
  besieged_.ExpectUnharmed();
}

INSTANTIATE_TEST_SUITE_P(Backends, MutationStormTest,
                         testing::ValuesIn(SocketTransports()), TransportName);

}  // namespace
}  // namespace cluster::internal
