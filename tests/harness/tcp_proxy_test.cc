#include "tests/harness/tcp_proxy.h"

#include <string>

#include "cluster/transport/stream/testing/raw_stream.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using stream::RawListener;
using stream::RawStream;

NetworkConditions BlackHole(Way way) {
  NetworkConditions conditions;
  conditions.swallows[static_cast<std::size_t>(way)] = true;
  return conditions;
}

NetworkConditions Stall() {
  NetworkConditions conditions;
  conditions.stalled = true;
  return conditions;
}

std::uint64_t Forward(const std::array<std::uint64_t, kWays>& bytes) {
  return bytes[static_cast<std::size_t>(Way::kForward)];
}

// Both ends of a connection through a proxy, after its first byte.
class TcpProxyTest : public testing::Test {
 protected:
  TcpProxyTest() : proxy_(listener_.address()) {}

  void Connect() {
    dialler_ = RawStream::Dial(proxy_.address());
    target_ = listener_.Accept();
    ASSERT_TRUE(dialler_.ok() && target_.ok());
  }
  static void ExpectPasses(RawStream* from, RawStream* to,
                           const std::string& text) {
    EXPECT_TRUE(from->Write(text));
    std::string got;
    EXPECT_TRUE(to->Read(text.size(), &got));
    EXPECT_EQ(got, text);
  }

  RawListener listener_;
  TcpProxy proxy_;
  RawStream dialler_;
  RawStream target_;
};

TEST_F(TcpProxyTest, PassesBytesAndEndsBothWays) {
  Connect();
  ExpectPasses(&dialler_, &target_, "hello");
  ExpectPasses(&target_, &dialler_, "hello yourself");
  dialler_.Finish();
  EXPECT_TRUE(target_.WaitForEnd());
  ExpectPasses(&target_, &dialler_, "one way is still open");
  target_.Reset();
  EXPECT_TRUE(dialler_.WaitForEnd());
  EXPECT_EQ(proxy_.Figures().connections, 1u);
  EXPECT_EQ(proxy_.Figures().cuts, 0u);
}

TEST_F(TcpProxyTest, CutsBothSidesByEitherMeans) {
  for (CutBy how : {CutBy::kReset, CutBy::kFinish}) {
    Connect();
    ExpectPasses(&dialler_, &target_, "x");
    proxy_.Cut(how);
    EXPECT_TRUE(dialler_.WaitForEnd());
    EXPECT_TRUE(target_.WaitForEnd());
    EXPECT_EQ(dialler_.Write("x"), how == CutBy::kFinish);
  }
  EXPECT_EQ(proxy_.Figures().cuts, 2u);
}

TEST_F(TcpProxyTest, CutsOnlySoManyConnections) {
  Connect();
  RawStream first = std::move(dialler_);
  RawStream first_target = std::move(target_);
  Connect();
  proxy_.Cut(CutBy::kReset, 1);
  EXPECT_TRUE(first.WaitForEnd());
  ExpectPasses(&dialler_, &target_, "the second one lives");
}

TEST_F(TcpProxyTest, CutsAfterExactlySoManyBytes) {
  const std::string text(100, 'x');
  for (CutBy how : {CutBy::kReset, CutBy::kFinish}) {
    proxy_.CutAfter(Way::kForward, 7, how, 1);
    const std::uint64_t before = Forward(proxy_.Figures().given);
    Connect();
    EXPECT_TRUE(dialler_.Write(text));
    std::string got;
    EXPECT_TRUE(target_.Read(7, &got));
    EXPECT_TRUE(target_.WaitForEnd());
    EXPECT_EQ(Forward(proxy_.Figures().given), before + 7);
  }
  Connect();
  ExpectPasses(&dialler_, &target_, text);
}

TEST_F(TcpProxyTest, WhoEndsBeforeSoManyBytesIsNotCounted) {
  proxy_.CutAfter(Way::kForward, 7, CutBy::kReset, 1);
  Connect();
  ASSERT_TRUE(dialler_.Write("short"));
  std::string got;
  ASSERT_TRUE(target_.Read(5, &got));
  dialler_.Reset();
  ASSERT_TRUE(target_.WaitForEnd());
  Connect();
  ASSERT_TRUE(dialler_.Write("long enough"));
  EXPECT_TRUE(target_.Read(7, &got));
  EXPECT_TRUE(target_.WaitForEnd());
  EXPECT_EQ(proxy_.Figures().cuts, 1u);
}

TEST_F(TcpProxyTest, AStallKeepsWhatItTookAndEvenTheEnd) {
  Connect();
  proxy_.Set(Stall());
  ASSERT_TRUE(dialler_.Write("late"));
  ASSERT_TRUE(proxy_.WaitUntil(
      [](const ProxyFigures& now) { return Forward(now.taken) == 4; }));
  dialler_.Reset();
  EXPECT_EQ(Forward(proxy_.Figures().given), 0u);
  proxy_.Set({});
  EXPECT_TRUE(target_.WaitForEnd());
}

TEST_F(TcpProxyTest, ABlackHoleTakesOneWayAndResetsWhenItEnds) {
  Connect();
  proxy_.Set(BlackHole(Way::kForward));
  ASSERT_TRUE(dialler_.Write("lost"));
  ASSERT_TRUE(proxy_.WaitUntil(
      [](const ProxyFigures& now) { return Forward(now.taken) == 4; }));
  ExpectPasses(&target_, &dialler_, "the other way is open");
  EXPECT_EQ(Forward(proxy_.Figures().given), 0u);
  proxy_.Set({});
  EXPECT_TRUE(dialler_.WaitForEnd());
  EXPECT_TRUE(target_.WaitForEnd());
}

TEST_F(TcpProxyTest, ALostTargetIsNotToldToTheDialler) {
  Connect();
  proxy_.Lose(Side::kTarget);
  EXPECT_TRUE(target_.WaitForEnd());
  EXPECT_TRUE(dialler_.Write("to nobody"));
  EXPECT_TRUE(proxy_.WaitUntil(
      [](const ProxyFigures& now) { return Forward(now.taken) == 9; }));
  RawStream again = RawStream::Dial(proxy_.address());
  RawStream again_target = listener_.Accept();
  ExpectPasses(&again, &again_target, "a new one is whole");
}

TEST_F(TcpProxyTest, ALostDiallersBytesStillArrive) {
  Connect();
  proxy_.Set(Stall());
  ASSERT_TRUE(dialler_.Write("late"));
  ASSERT_TRUE(proxy_.WaitUntil(
      [](const ProxyFigures& now) { return Forward(now.taken) == 4; }));
  proxy_.Lose(Side::kDialler);
  EXPECT_TRUE(dialler_.WaitForEnd());
  proxy_.Set({});
  std::string got;
  EXPECT_TRUE(target_.Read(4, &got));
  EXPECT_EQ(got, "late");
  EXPECT_TRUE(target_.Write("to nobody"));
}

TEST_F(TcpProxyTest, DelayAndPaceChangeNothingButTime) {
  NetworkConditions slow;
  slow.delay = absl::Milliseconds(5);
  slow.bytes_per_second = 1000000;
  proxy_.Set(slow);
  Connect();
  std::string text;
  for (int i = 0; i < 100000; ++i) text += static_cast<char>(i % 251);
  ExpectPasses(&dialler_, &target_, text);
  ExpectPasses(&target_, &dialler_, text);
}

TEST_F(TcpProxyTest, CutsAgainAndAgain) {
  proxy_.CutEvery(absl::Milliseconds(1), absl::Milliseconds(2), 1);
  for (std::uint64_t cuts = 1; cuts <= 5; ++cuts) {
    Connect();
    EXPECT_TRUE(dialler_.WaitForEnd());
    EXPECT_TRUE(target_.WaitForEnd());
    EXPECT_EQ(proxy_.Figures().cuts, cuts);
  }
  proxy_.CutNoMore();
  Connect();
  ExpectPasses(&dialler_, &target_, "in peace");
}

TEST_F(TcpProxyTest, ReplaysWhatItRecordedPartByPart) {
  proxy_.Record(16);
  Connect();
  ExpectPasses(&dialler_, &target_, "hello");
  ExpectPasses(&target_, &dialler_, "who is there?");
  ExpectPasses(&dialler_, &target_, "the recorder, cut short");
  const std::vector<Recording> recordings = proxy_.Recordings();
  ASSERT_EQ(recordings.size(), 1u);
  EXPECT_EQ(recordings[0].size(), 16u);
  proxy_.Replay(recordings[0]);
  RawStream replayed = listener_.Accept();
  std::string got;
  EXPECT_TRUE(replayed.Read(5, &got));
  EXPECT_EQ(got, "hello");
  EXPECT_EQ(Forward(proxy_.Figures().given), 28u + 5u);
  EXPECT_TRUE(replayed.Write("who is there?"));
  EXPECT_TRUE(replayed.Read(11, &got));
  EXPECT_EQ(got, "the recorde");
}

}  // namespace
}  // namespace cluster::internal
