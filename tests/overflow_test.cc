// Envelopes for a peer whose application does not read: over each backend, with
// each overflow policy, alone and with other recipients.

#include <future>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/accounts.h"
#include "tests/harness/fresh_address.h"
#include "tests/harness/transports.h"

namespace cluster::internal {
namespace {

using ::testing::IsEmpty;

constexpr absl::Duration kLong = absl::Seconds(30);
constexpr std::size_t kWindowBytes = 128u << 10;
constexpr std::size_t kPayloadBytes = 4000;
// More such payloads than queue, window and frames in transit hold.
constexpr int kMoreThanFits = 1000;

class OverflowTest : public testing::TestWithParam<const char*> {
 protected:
  void Start(int servers, Overflow overflow = Overflow::kReject) {
    Config config;
    config.cluster = "overflow-test";
    config.transport = GetParam();
    config.overflow = overflow;
    config.frame_bytes = 4096;
    config.inflight_bytes = 64u << 10;
    config.window_bytes = kWindowBytes;
    config.queue_bytes_max = 256u << 10;
    config.linger = absl::ZeroDuration();
    for (int id = 1; id <= servers; ++id)
      config.servers.push_back({id, FreshAddress(AddressKind::kIpv4)});
    for (int id = 1; id <= servers; ++id) {
      auto server = NewServer(id, config);
      ASSERT_TRUE(server.ok()) << server.status();
      ASSERT_TRUE((*server)->Start().ok());
      servers_.push_back(*std::move(server));
    }
    for (auto& server : servers_) {
      for (auto& peer : servers_) {
        if (peer == server) continue;
        ASSERT_TRUE(server->AddPeer(peer->Pid(), peer->Address()).ok());
      }
    }
  }

  Server& server(int id) { return *servers_[static_cast<std::size_t>(id - 1)]; }
  PeerStats Seen(int peer) { return *server(1).Stats().Peer(peer); }

  // The payload begins with its number.
  static Envelope Numbered(int pid, int number) {
    Envelope envelope;
    envelope.pid = pid;
    envelope.payload = std::to_string(number);
    envelope.payload.resize(kPayloadBytes);
    return envelope;
  }
  int ReceiveNumber(int id) {
    const absl::StatusOr<Envelope> received = server(id).Receive(kLong);
    EXPECT_TRUE(received.ok()) << received.status();
    return received.ok() ? std::stoi(received->payload) : -1;
  }

  // Whether no frame may leave for server 2 before it consumes some. Each frame
  // has one envelope, all of one size.
  bool WindowIsUsedUp() {
    const PeerStats seen = Seen(2);
    if (seen.in_flight == 0) return false;
    const std::uint64_t frame = seen.unconsumed_bytes / seen.in_flight;
    // The rest is kept for urgent envelopes.
    return seen.unconsumed_bytes + frame > kWindowBytes - kWindowBytes / 32;
  }

  // Sends until server 2's window is used up and the queue is full. Returns how
  // many envelopes were accepted.
  int FillTwo() {
    int sent = 0;
    while (sent < kMoreThanFits) {
      const bool for_good = WindowIsUsedUp();
      const absl::Status status =
          server(1).Send(Numbered(2, sent), for_good ? absl::ZeroDuration()
                                                     : absl::Milliseconds(10));
      EXPECT_THAT(BalanceProblems(1, server(1).Stats()), IsEmpty());
      if (status.ok()) {
        ++sent;
      } else if (for_good) {
        return sent;
      }
    }
    ADD_FAILURE() << "the queue has no bound";
    return sent;
  }

  std::vector<std::unique_ptr<Server>> servers_;
};

TEST_P(OverflowTest, RejectWaitsForRoomAndNothingAcceptedIsLost) {
  Start(2);
  const int sent = FillTwo();
  EXPECT_EQ(server(1).Send(Numbered(2, sent)).code(),
            absl::StatusCode::kResourceExhausted);
  // A refused envelope leaves no trace.
  EXPECT_EQ(Seen(2).accepted, static_cast<std::uint64_t>(sent));
  EXPECT_EQ(DroppedSum(Seen(2)), 0u);
  EXPECT_LE(server(2).Stats().inbox_bytes, kWindowBytes);

  std::future<absl::Status> waiting = std::async(std::launch::async, [&] {
    return server(1).Send(Numbered(2, sent), kLong);
  });
  for (int number = 0; number <= sent; ++number)
    ASSERT_EQ(ReceiveNumber(2), number);
  EXPECT_TRUE(waiting.get().ok());
  EXPECT_TRUE(server(1).Flush(kLong).ok());
  EXPECT_EQ(Seen(2).acknowledged, static_cast<std::uint64_t>(sent) + 1);
}

// All transmitted envelopes arrive, or the session could not go on. So does the
// newest one. All others are counted as dropped.
TEST_P(OverflowTest, DropOldestDropsOnlyWhatWasNeverTransmittedAndCountsIt) {
  Start(2, Overflow::kDropOldest);
  for (int number = 0; number < kMoreThanFits; ++number) {
    ASSERT_TRUE(server(1).Send(Numbered(2, number)).ok());
    ASSERT_THAT(BalanceProblems(1, server(1).Stats()), IsEmpty());
  }
  EXPECT_GT(Seen(2).Dropped(DropReason::kOverflow), 0u);

  std::vector<int> numbers;
  while (numbers.empty() || numbers.back() != kMoreThanFits - 1) {
    numbers.push_back(ReceiveNumber(2));
    ASSERT_GE(numbers.back(), 0);
    if (numbers.size() > 1) {
      ASSERT_LT(*(numbers.end() - 2), numbers.back());
    }
  }
  ASSERT_TRUE(server(1).Flush(kLong).ok());
  const PeerStats settled = Seen(2);
  EXPECT_EQ(settled.sessions, 1u);
  EXPECT_EQ(settled.accepted, static_cast<std::uint64_t>(kMoreThanFits));
  EXPECT_EQ(settled.acknowledged, numbers.size());
  EXPECT_EQ(settled.Dropped(DropReason::kOverflow),
            kMoreThanFits - numbers.size());
}

TEST_P(OverflowTest, AMulticastSaysPerPidWhatHappened) {
  Start(3);
  FillTwo();
  for (absl::Duration timeout : {absl::ZeroDuration(), absl::Milliseconds(1)}) {
    const absl::StatusCode code = timeout == absl::ZeroDuration()
                                      ? absl::StatusCode::kResourceExhausted
                                      : absl::StatusCode::kDeadlineExceeded;
    const MulticastResult result =
        server(1).Multicast({2, 3, 1}, Numbered(0, 7), timeout);
    EXPECT_EQ(result.status.code(), code);
    ASSERT_EQ(result.peers.size(), 3u);
    EXPECT_EQ(result.peers[0].first, 2);
    EXPECT_EQ(result.peers[0].second.code(), code);
    EXPECT_EQ(result.peers[1].first, 3);
    EXPECT_TRUE(result.peers[1].second.ok());
    EXPECT_EQ(result.peers[2].first, 1);
    EXPECT_TRUE(result.peers[2].second.ok());
    EXPECT_EQ(ReceiveNumber(3), 7);
    EXPECT_EQ(ReceiveNumber(1), 7);
  }
}

// The blocked recipient is first in the list, but the wait for it comes last.
TEST_P(OverflowTest, AMulticastReachesTheOthersBeforeItWaits) {
  Start(3);
  const int sent = FillTwo();
  std::future<MulticastResult> multicast = std::async(std::launch::async, [&] {
    return server(1).Multicast({2, 3}, Numbered(0, sent), kLong);
  });
  EXPECT_EQ(ReceiveNumber(3), sent);
  for (int number = 0; number <= sent; ++number)
    ASSERT_EQ(ReceiveNumber(2), number);
  const MulticastResult result = multicast.get();
  EXPECT_TRUE(result.ok()) << result.status;
}

TEST_P(OverflowTest, ABroadcastReachesTheOthersBeforeItWaits) {
  Start(4);
  const int sent = FillTwo();
  EXPECT_EQ(server(1).Send(Numbered(kBroadcast, sent)).code(),
            absl::StatusCode::kResourceExhausted);
  std::future<absl::Status> broadcast = std::async(std::launch::async, [&] {
    return server(1).Send(Numbered(kBroadcast, sent + 1), kLong);
  });
  for (int id : {3, 4}) {
    EXPECT_EQ(ReceiveNumber(id), sent);
    EXPECT_EQ(ReceiveNumber(id), sent + 1);
  }
  for (int number = 0; number < sent; ++number)
    ASSERT_EQ(ReceiveNumber(2), number);
  EXPECT_EQ(ReceiveNumber(2), sent + 1);
  EXPECT_TRUE(broadcast.get().ok());
}

INSTANTIATE_TEST_SUITE_P(Backends, OverflowTest,
                         testing::ValuesIn(AllTransports()), TransportName);

}  // namespace
}  // namespace cluster::internal
