#include "cluster/session/flight_limit.h"

#include <algorithm>
#include <deque>

#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

constexpr absl::Duration kMemory = absl::Seconds(10);
constexpr std::size_t kFrameBytes = 64u << 10;

// A sender that always has frames, and a line. Each frame asks for its
// acknowledgement, which comes a delay after the frame is through.
class Line {
 public:
  Line(double bytes_per_second, absl::Duration round_trip, std::size_t floor)
      : bytes_per_second(bytes_per_second),
        round_trip(round_trip),
        floor_(floor) {}

  void RunFor(absl::Duration duration) {
    const absl::Time end = now_ + duration;
    while (now_ < end) {
      Send();
      now_ = std::max(now_ + absl::Microseconds(1), acks_.front().at);
      Receive();
    }
  }
  std::size_t allowed() const { return std::max(floor_, limit_.bytes()); }
  std::uint64_t received_bytes() const { return received_bytes_; }

  double bytes_per_second;
  absl::Duration round_trip;
  std::size_t inflight_most = 0;
  // The application has no more in transit than this.
  std::size_t wanted = static_cast<std::size_t>(-1);

 private:
  struct Ack {
    std::uint64_t sequence;
    FlightLimit::Departure frame;
    absl::Time at;
  };

  void Send() {
    const std::size_t most = std::min(wanted, allowed());
    while (inflight_ == 0 ||
           (!limit_.draining() && inflight_ + kFrameBytes <= most)) {
      const bool alone = inflight_ == 0;
      if (alone) since_ = now_;
      free_at_ = std::max(free_at_, now_) +
                 absl::Seconds(kFrameBytes / bytes_per_second);
      inflight_ += kFrameBytes;
      inflight_most = std::max(inflight_most, inflight_);
      acks_.push_back(
          {++sequence_, {received_bytes_, since_}, free_at_ + round_trip});
      limit_.OnSent(sequence_, alone, now_);
    }
  }
  void Receive() {
    while (!acks_.empty() && acks_.front().at <= now_) {
      inflight_ -= kFrameBytes;
      received_bytes_ += kFrameBytes;
      limit_.OnReceived(acks_.front().sequence, acks_.front().frame,
                        received_bytes_, now_);
      since_ = now_;
      acks_.pop_front();
    }
  }

  const std::size_t floor_;
  FlightLimit limit_{kMemory};
  std::deque<Ack> acks_;
  std::size_t inflight_ = 0;
  std::uint64_t sequence_ = 0;
  std::uint64_t received_bytes_ = 0;
  absl::Time now_ = absl::UnixEpoch();
  absl::Time since_ = now_;
  absl::Time free_at_ = now_;
};

constexpr std::size_t kFloor = 2u << 20;

double TwiceWhatFits(const Line& line) {
  return 2 * line.bytes_per_second * absl::ToDoubleSeconds(line.round_trip);
}

const absl::Time kStart = absl::UnixEpoch();

absl::Time At(int milliseconds) {
  return kStart + absl::Milliseconds(milliseconds);
}

TEST(FlightLimit, KnowsNothingAtFirst) {
  FlightLimit limit(kMemory);
  EXPECT_EQ(limit.bytes(), 0u);
  EXPECT_FALSE(limit.draining());
  EXPECT_TRUE(limit.Asks(kStart));
  EXPECT_EQ(limit.OnReceived(1, {0, kStart}, 100, At(1)), absl::nullopt);
}

TEST(FlightLimit, TimesOneFrameAtATime) {
  FlightLimit limit(kMemory);
  limit.OnSent(5, true, At(0));
  limit.OnSent(6, false, At(1));
  EXPECT_EQ(limit.OnReceived(4, {0, kStart}, 0, At(5)), absl::nullopt);
  EXPECT_EQ(limit.OnReceived(6, {0, kStart}, 2000, At(20)),
            absl::Milliseconds(20));
  EXPECT_EQ(limit.OnReceived(7, {0, kStart}, 2000, At(30)), absl::nullopt);
  EXPECT_NEAR(static_cast<double>(limit.bytes()), 4000, 1);
}

TEST(FlightLimit, ALostFrameIsNotTimed) {
  FlightLimit limit(kMemory);
  limit.OnSent(5, true, At(0));
  limit.Forget();
  EXPECT_EQ(limit.OnReceived(5, {0, kStart}, 1000, At(9)), absl::nullopt);
  EXPECT_EQ(limit.bytes(), 0u);
}

// A transport that pushes back need not know of the timed one.
TEST(FlightLimit, OnlyTheFrameThatDidNotLeaveIsNotTimed) {
  FlightLimit limit(kMemory);
  limit.OnSent(5, true, At(0));
  limit.OnNotSent(6);
  EXPECT_NE(limit.OnReceived(5, {0, kStart}, 1000, At(1)), absl::nullopt);
  limit.OnSent(7, true, At(1));
  limit.OnNotSent(7);
  EXPECT_EQ(limit.OnReceived(7, {1000, At(1)}, 2000, At(2)), absl::nullopt);
}

// Whichever frame is timed, the last one of a burst tells what the line takes.
TEST(FlightLimit, ABurstCountsWhole) {
  FlightLimit limit(kMemory);
  limit.OnSent(1, true, At(0));
  limit.OnReceived(1, {0, kStart}, 1000, At(100));
  limit.OnSent(2, true, At(100));
  limit.OnReceived(2, {1000, At(100)}, 2000, At(200));
  EXPECT_NEAR(static_cast<double>(limit.bytes()), 2000, 1);
  limit.OnReceived(9, {1000, At(100)}, 9000, At(200));
  EXPECT_NEAR(static_cast<double>(limit.bytes()), 16000, 1);
}

TEST(FlightLimit, FillsALongLineWithinAFewRoundTrips) {
  Line line(125e6, absl::Milliseconds(100), kFloor);
  line.RunFor(absl::Seconds(1));
  EXPECT_NEAR(static_cast<double>(line.allowed()), TwiceWhatFits(line),
              0.05 * TwiceWhatFits(line));
  const std::uint64_t before = line.received_bytes();
  line.RunFor(absl::Seconds(30));
  EXPECT_GT(static_cast<double>(line.received_bytes() - before),
            0.97 * 30 * line.bytes_per_second);
  EXPECT_LT(static_cast<double>(line.inflight_most), 1.1 * TwiceWhatFits(line));
}

// The frames that wait before the line make each round trip as long as the floor
// takes. Taken for the line's own, it would double with each look.
TEST(FlightLimit, AQueueIsNotTakenForALongLine) {
  Line line(10e6, absl::Milliseconds(1), kFloor);
  line.RunFor(absl::Seconds(60));
  EXPECT_LE(line.inflight_most, kFloor);
  EXPECT_GT(static_cast<double>(line.received_bytes()),
            0.99 * 60 * line.bytes_per_second);
}

TEST(FlightLimit, ALineThatGetsLongerIsFilledToo) {
  Line line(125e6, absl::Milliseconds(1), kFloor);
  line.RunFor(absl::Seconds(5));
  EXPECT_EQ(line.allowed(), kFloor);
  line.round_trip = absl::Milliseconds(100);
  line.RunFor(kMemory + absl::Seconds(2));
  EXPECT_NEAR(static_cast<double>(line.allowed()), TwiceWhatFits(line),
              0.05 * TwiceWhatFits(line));
}

TEST(FlightLimit, ALineThatGetsSlowerIsFilledLess) {
  Line line(125e6, absl::Milliseconds(100), kFloor);
  line.RunFor(absl::Seconds(2));
  line.bytes_per_second = 30e6;
  line.RunFor(absl::Seconds(20));
  EXPECT_NEAR(static_cast<double>(line.allowed()), TwiceWhatFits(line),
              0.1 * TwiceWhatFits(line));
}

// An application that sends little for a while need not begin anew.
TEST(FlightLimit, KnowsTheLineStillAfterLittleTraffic) {
  Line line(125e6, absl::Milliseconds(100), kFloor);
  line.RunFor(absl::Seconds(2));
  line.wanted = 2 * kFrameBytes;
  line.RunFor(absl::Seconds(30));
  EXPECT_GT(static_cast<double>(line.allowed()), 0.9 * TwiceWhatFits(line));
}

}  // namespace
}  // namespace cluster::internal
