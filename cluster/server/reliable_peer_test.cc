// Envelopes to a busy peer, over a session that the test holds by the wires.

#include "cluster/server/reliable_peer.h"

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/base/clock.h"
#include "cluster/server/testing/wires.h"
#include "cluster/server/ticker.h"
#include "cluster/session/testing/session_pair.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using Strings = std::vector<std::string>;

std::chrono::steady_clock::time_point Now() {
  return std::chrono::steady_clock::now();
}

// Server 1 with the peer 2.
class ReliablePeerTest : public testing::Test {
 protected:
  void SetUp() override { Make(TestSessionConfig(1, 2)); }

  void Make(const SessionConfig& config) {
    near_ = std::make_unique<ReliablePeer>(config, &wires_, &inbox_,
                                           &callbacks_, &rejections_, &ticker_);
    near_->Join(2, PeerStats());
    far_ = std::make_unique<SessionEnd>(TestSessionConfig(2, 1), &now_);
    generation_ = Peer::DrawGeneration();
    near_->OnConnected(2, generation_);
    far_->session->OnConnected(now_);
    Exchange();
  }

  // The other end hears all that the peer has sent.
  int Carry() { return internal::Carry(2, &wires_, far_.get()); }
  // The other end is heard, and then OnDrained follows, as a transport does it.
  int Answer() {
    const Strings frames = far_->Speak();
    if (Hear(frames, near_.get())) near_->OnDrained();
    return static_cast<int>(frames.size());
  }
  void Exchange() {
    while (Carry() + Answer() > 0) {
    }
  }

  SendOutcome Offer(const std::string& payload, Lane lane = Lane::kNormal) {
    Envelope envelope;
    envelope.message_id = {1001, ++sequence_};
    envelope.pid = 2;
    envelope.sender_id = 1;
    envelope.lane = lane;
    envelope.payload = payload;
    return near_->Send(2, EnvelopeView(envelope));
  }
  void Send(const std::string& payload, Lane lane = Lane::kNormal) {
    ASSERT_EQ(Offer(payload, lane), SendOutcome::kAccepted);
    sent_.push_back(payload);
  }
  // Until one does not leave at once.
  void SendUntilBusy() {
    for (int i = 0; i < 10; ++i) {
      const std::size_t frames = wires_.sent[2].size();
      Send(absl::StrCat("direct ", i));
      if (wires_.sent[2].size() == frames) return;
    }
    FAIL() << "never busy";
  }

  // Of the peer's only Connect, if it was called.
  std::uint64_t generation_ = 1;
  absl::Time now_ = absl::UnixEpoch();
  Wires wires_;
  Inbox inbox_{1, 1 << 20, 1 << 20};
  Callbacks callbacks_{&inbox_};
  Rejections rejections_{[](PeerEvent) {}, [](int) { return true; }};
  Ticker ticker_{nullptr, absl::Seconds(1), absl::Seconds(1)};  // not started
  std::unique_ptr<ReliablePeer> near_;
  std::unique_ptr<SessionEnd> far_;
  Strings sent_;
  std::uint64_t sequence_ = 0;
};

TEST_F(ReliablePeerTest, ABusyPeersEnvelopesLeaveInOneFrameWithTheAnswer) {
  SendUntilBusy();
  for (int i = 0; i < 20; ++i) Send(absl::StrCat(i));
  PeerStats stats = near_->Stats();
  EXPECT_TRUE(AddsUp(stats));
  EXPECT_EQ(stats.accepted, sent_.size());
  EXPECT_EQ(stats.queued, 21u);
  Carry();
  Answer();
  EXPECT_EQ(wires_.sent[2].size(), 1u);
  Exchange();
  EXPECT_EQ(far_->Payloads(), sent_);
  stats = near_->Stats();
  EXPECT_EQ(stats.queued, 0u);
  EXPECT_TRUE(AddsUp(stats));
}

TEST_F(ReliablePeerTest, NothingStaysBehindWhenAllIsAcknowledged) {
  for (int round = 0; round < 50; ++round) {
    SendUntilBusy();
    Exchange();
    ASSERT_EQ(near_->Stats().queued, 0u);
    // And the next one leaves at once.
    Send("next");
    ASSERT_EQ(wires_.sent[2].size(), 1u);
    Exchange();
    ASSERT_EQ(far_->Payloads(), sent_);
  }
}

// Between the last acknowledgement and OnDrained others may send.
TEST_F(ReliablePeerTest, WhatIsSentBetweenAnAnswerAndItsEndLeaves) {
  SendUntilBusy();
  while (Carry() > 0) {
    const bool drain = Hear(far_->Speak(), near_.get());
    if (sent_.size() < 20) Send(absl::StrCat("between ", sent_.size()));
    if (drain) near_->OnDrained();
  }
  EXPECT_EQ(far_->Payloads(), sent_);
  EXPECT_EQ(near_->Stats().queued, 0u);
}

TEST_F(ReliablePeerTest, AFullFrameDoesNotWaitForAnAnswer) {
  SendUntilBusy();
  const std::size_t before = wires_.sent[2].size();
  const std::string payload(TestSessionConfig(1, 2).frame_bytes / 10, 'x');
  for (int i = 0; i < 9; ++i) Send(payload);
  EXPECT_EQ(wires_.sent[2].size(), before + 1);
  Exchange();
  EXPECT_EQ(far_->Payloads(), sent_);
}

TEST_F(ReliablePeerTest, OrderHoldsAmongSmallAndLarge) {
  const std::size_t frame_bytes = TestSessionConfig(1, 2).frame_bytes;
  SendUntilBusy();
  for (int i = 0; i < 40; ++i) {
    Send(absl::StrCat("small ", i));
    if (i % 3 == 0) Send(std::string(frame_bytes / 3, 'm'));
    if (i % 7 == 0) Send(std::string(frame_bytes * 2, 'l'));
    if (i % 10 == 0) Exchange();
  }
  Exchange();
  EXPECT_EQ(far_->Payloads(), sent_);
  EXPECT_TRUE(AddsUp(near_->Stats()));
}

TEST_F(ReliablePeerTest, AnUrgentOneOvertakesWhatIsQueued) {
  SendUntilBusy();
  for (int i = 0; i < 5; ++i) Send(absl::StrCat(i));
  const std::size_t before = wires_.sent[2].size();
  Send("urgent", Lane::kUrgent);
  EXPECT_EQ(wires_.sent[2].size(), before + 1);
  Carry();
  EXPECT_EQ(far_->Payloads().back(), "urgent");
}

TEST_F(ReliablePeerTest, AFlushWaitsForWhatIsQueued) {
  far_->consumes = false;
  SendUntilBusy();
  for (int i = 0; i < 5; ++i) Send(absl::StrCat("queued ", i));
  const SendMark mark = near_->BeginFlush(2);
  Exchange();
  while (far_->Pending() > 0) {
    EXPECT_FALSE(near_->WaitFlushed(mark, Now()));
    far_->Consume(1);
    Exchange();
  }
  EXPECT_EQ(far_->Payloads(), sent_);
  EXPECT_TRUE(near_->WaitFlushed(mark, Now()));
}

TEST_F(ReliablePeerTest, AFlushDoesNotWaitForWhatIsSentLater) {
  SendUntilBusy();
  const SendMark mark = near_->BeginFlush(2);
  for (int i = 0; i < 5; ++i) Send(absl::StrCat("later ", i));
  Exchange();
  far_->consumes = false;
  Send("later");
  Exchange();
  ASSERT_EQ(near_->Stats().in_flight, 1u);
  EXPECT_TRUE(near_->WaitFlushed(mark, Now()));
}

TEST_F(ReliablePeerTest, AFlushEndsWithItsPeersMembership) {
  wires_.full = true;
  Send("x");
  const SendMark mark = near_->BeginFlush(2);
  EXPECT_FALSE(near_->WaitFlushed(mark, Now()));
  near_->Remove();
  EXPECT_TRUE(near_->WaitFlushed(mark, Now()));
  near_->Join(2, near_->Stats());
  for (int i = 0; i < 3; ++i) Send("of the next membership");
  EXPECT_TRUE(near_->WaitFlushed(mark, Now()));
  EXPECT_FALSE(near_->WaitFlushed(near_->BeginFlush(2), Now()));
}

// A thread that found the object before its member was removed may use it later.
TEST_F(ReliablePeerTest, WhatIsForTheMemberOfBeforeIsNotForTheNextOne) {
  const std::uint64_t of_before = generation_;
  ASSERT_EQ(far_->Append("late"), SendOutcome::kAccepted);
  const Strings late = far_->Speak();
  near_->Remove();
  EXPECT_EQ(near_->id(), Peer::kNobody);
  // Drawn by another object, which was this member's before.
  const std::uint64_t of_another = Peer::DrawGeneration();
  near_->Join(3, PeerStats());
  EXPECT_EQ(near_->id(), 3);
  EXPECT_EQ(Offer("x"), SendOutcome::kRemoved);
  Envelope envelope;
  envelope.pid = 3;
  envelope.sender_id = 1;
  // It waits, as there is no connection.
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(near_->Send(3, EnvelopeView(envelope)), SendOutcome::kAccepted);
  }
  EXPECT_EQ(Offer("x"), SendOutcome::kRemoved);
  EXPECT_EQ(Offer(std::string(5000, 'x')), SendOutcome::kRemoved);
  EXPECT_EQ(Offer("x", Lane::kUrgent), SendOutcome::kRemoved);
  EXPECT_TRUE(near_->WaitForRoom(2, EnvelopeView(envelope), nullptr, Now()));
  EXPECT_TRUE(near_->WaitFlushed(near_->BeginFlush(2), Now()));
  EXPECT_FALSE(near_->WaitFlushed(near_->BeginFlush(3), Now()));
  near_->OnConnected(2, of_before);
  near_->OnConnected(2, Peer::DrawGeneration());
  near_->OnConnected(3, of_before);
  near_->OnConnected(3, of_another);
  near_->OnWritable(2);
  EXPECT_FALSE(Hear(late, near_.get()));
  Arrival arrival;
  arrival.sender = 2;
  near_->OnConsumed(arrival);
  near_->OnBadRecords(arrival, RefusalReason::kBadRecord, "nonsense");
  EXPECT_TRUE(wires_.Take(3).empty());
  const PeerStats stats = near_->Stats();
  EXPECT_EQ(stats.peer, 3);
  EXPECT_EQ(stats.accepted, 2u);
  EXPECT_EQ(stats.frames_received, 0u);
  for (std::uint64_t refused : stats.refused) EXPECT_EQ(refused, 0u);
  EXPECT_EQ(
      rejections_.counts()[static_cast<std::size_t>(RefusalReason::kBadRecord)],
      1u);
}

// No frame and no tick tells of it: there is no connection.
TEST_F(ReliablePeerTest, AFlushHearsOfWhatOverflows) {
  SessionConfig config = TestSessionConfig(1, 2);
  config.overflow = Overflow::kDropOldest;
  config.queue_bytes_max = 8 << 10;
  Make(config);
  near_->OnDisconnected(2, generation_, "cut");
  // It waits by then in some of the rounds at least.
  for (int round = 0; round < 20; ++round) {
    Send("before");
    const SendMark mark = near_->BeginFlush(2);
    std::promise<void> begun;
    std::thread flusher([&] {
      begun.set_value();
      EXPECT_TRUE(near_->WaitFlushed(mark, Now() + std::chrono::seconds(60)));
    });
    begun.get_future().wait();
    for (int i = 0; i < 100; ++i) std::this_thread::yield();
    for (int i = 0; i < 50; ++i) Send(std::string(400, 'x'));
    flusher.join();
    if (HasFailure()) return;
  }
}

TEST_F(ReliablePeerTest, WaitReceivedSeesWhatIsQueued) {
  SendUntilBusy();
  EXPECT_FALSE(near_->WaitReceived(Now()));
  Carry();
  // All that was sent is acknowledged, and the last one not sent.
  Hear(far_->Speak(), near_.get());
  EXPECT_FALSE(near_->WaitReceived(Now()));
  near_->OnDrained();
  Carry();
  now_ += 2 * kAckDelay;
  far_->session->Tick(now_);
  Answer();
  EXPECT_TRUE(near_->WaitReceived(Now()));
}

TEST_F(ReliablePeerTest, WhatIsQueuedIsDroppedWithItsPeerAndCounted) {
  SendUntilBusy();
  for (int i = 0; i < 5; ++i) Send(absl::StrCat(i));
  near_->Remove();
  EXPECT_EQ(Offer("late"), SendOutcome::kRemoved);
  const PeerStats stats = near_->Stats();
  EXPECT_EQ(stats.accepted, sent_.size());
  EXPECT_EQ(stats.queued, 0u);
  EXPECT_TRUE(AddsUp(stats));
}

TEST_F(ReliablePeerTest, WhatIsQueuedIsDroppedWhenTheServerLeaves) {
  SendUntilBusy();
  for (int i = 0; i < 5; ++i) Send(absl::StrCat(i));
  near_->Leave();
  EXPECT_EQ(Offer("late"), SendOutcome::kRemoved);
  const PeerStats stats = near_->Stats();
  EXPECT_EQ(stats.accepted, sent_.size());
  EXPECT_EQ(stats.queued, 0u);
  EXPECT_TRUE(AddsUp(stats));
}

TEST_F(ReliablePeerTest, AfterItLeftItTakesNothingAmiss) {
  Send("x");
  Carry();
  near_->Leave();
  Answer();
  for (std::uint64_t refused : near_->Stats().refused) EXPECT_EQ(refused, 0u);
}

TEST_F(ReliablePeerTest, OfRecordsThatMakeNoSenseTheHandlerHears) {
  std::promise<PeerEvent::Type> told;
  callbacks_.SetEventHandler(
      [&](const PeerEvent& event) { told.set_value(event.type); });
  ASSERT_TRUE(callbacks_.Start().ok());
  Arrival arrival;
  arrival.sender = 2;
  arrival.session = far_->session->id();
  near_->OnBadRecords(arrival, RefusalReason::kBadRecord, "nonsense");
  EXPECT_EQ(told.get_future().get(), PeerEvent::kDown);
  callbacks_.Stop();
}

TEST_F(ReliablePeerTest, WaitsForATransportThatIsFull) {
  wires_.full = true;
  for (int i = 0; i < 20; ++i) Send(absl::StrCat(i));
  EXPECT_EQ(near_->Stats().queued + near_->Stats().in_flight, 20u);
  wires_.full = false;
  near_->OnWritable(2);
  Exchange();
  EXPECT_EQ(far_->Payloads(), sent_);
}

TEST_F(ReliablePeerTest, GathersWhileThereIsNoConnection) {
  near_->OnDisconnected(2, generation_, "cut");
  for (int i = 0; i < 20; ++i) Send(absl::StrCat(i));
  EXPECT_TRUE(wires_.sent[2].empty());
  near_->OnConnected(2, generation_);
  far_->session->OnConnected(now_);
  Exchange();
  EXPECT_EQ(far_->Payloads(), sent_);
  EXPECT_TRUE(AddsUp(near_->Stats()));
}

// Other envelopes go into the queue meanwhile.
TEST_F(ReliablePeerTest, SmallOnesKeepTheBoundOfTheQueue) {
  SessionConfig config = TestSessionConfig(1, 2);
  config.queue_bytes_max = 4 * config.frame_bytes;
  Make(config);
  SendUntilBusy();
  near_->OnDisconnected(2, generation_, "cut");
  const Lane lanes[] = {Lane::kNormal, Lane::kBulk, Lane::kNormal};
  const std::size_t sizes[] = {40, config.frame_bytes / 3,
                               config.frame_bytes / 20};
  int refused = 0;
  for (int i = 0; refused < 100; ++i) {
    const std::string payload(sizes[i % 3], 'x');
    if (Offer(payload, lanes[i % 3]) == SendOutcome::kFull) ++refused;
    ASSERT_LE(near_->Stats().queued_bytes, config.queue_bytes_max) << i;
  }
  EXPECT_GT(near_->Stats().queued_bytes,
            config.queue_bytes_max - config.frame_bytes / 10);
}

TEST_F(ReliablePeerTest, AnOpenBatchCountsWhenTheQueueGetsFull) {
  SessionConfig config = TestSessionConfig(1, 2);
  config.queue_bytes_max = 4 * config.frame_bytes;
  Make(config);
  SendUntilBusy();
  near_->OnDisconnected(2, generation_, "cut");
  for (int i = 0; i < 8; ++i) Send(std::string(config.frame_bytes / 10, 'x'));
  std::size_t bytes =
      config.queue_bytes_max - near_->Stats().queued_bytes + 100;
  while (Offer(std::string(bytes, 'b'), Lane::kBulk) != SendOutcome::kAccepted)
    bytes -= 10;
  EXPECT_LE(near_->Stats().queued_bytes, config.queue_bytes_max);
  EXPECT_GT(near_->Stats().queued_bytes, config.queue_bytes_max - 100);
}

TEST_F(ReliablePeerTest, ALateLossDoesNotSilenceANewConnection) {
  ASSERT_TRUE(near_->Connect("there").ok());
  const std::uint64_t before = wires_.dialled.back();
  near_->OnConnected(2, before);
  near_->Remove();
  near_->Join(2, near_->Stats());
  ASSERT_TRUE(near_->Connect("there").ok());
  near_->OnConnected(2, wires_.dialled.back());
  near_->OnDisconnected(2, before, "late");
  Exchange();
  Send("heard");
  Exchange();
  EXPECT_EQ(far_->Payloads(), sent_);
}

TEST_F(ReliablePeerTest, ALateConnectionDoesNotHideALoss) {
  ASSERT_TRUE(near_->Connect("there").ok());
  const std::uint64_t before = wires_.dialled.back();
  ASSERT_TRUE(near_->Connect("elsewhere").ok());
  near_->OnDisconnected(2, wires_.dialled.back(), "nobody is there");
  near_->OnConnected(2, before);
  wires_.Take(2);
  Send("waits", Lane::kUrgent);
  EXPECT_TRUE(wires_.Take(2).empty());
}

TEST_F(ReliablePeerTest, AConnectThatFailsChangesNothing) {
  ASSERT_TRUE(near_->Connect("there").ok());
  wires_.dialable = false;
  EXPECT_FALSE(near_->Connect("nowhere").ok());
  near_->OnDisconnected(2, wires_.dialled.back(), "cut");
  wires_.Take(2);
  Send("waits", Lane::kUrgent);
  EXPECT_TRUE(wires_.Take(2).empty());
}

// Longer than any of the times that it goes by.
constexpr absl::Duration kForLong = absl::Seconds(60);

TEST_F(ReliablePeerTest, APeerOfWhichNothingIsHeardIsDialledAnewAndCounted) {
  ASSERT_TRUE(near_->Connect("there").ok());
  near_->OnDisconnected(2, wires_.dialled.back(), "cut");
  const std::size_t dials = wires_.dialled.size();
  near_->Tick(MonotonicNow());
  EXPECT_EQ(wires_.dialled.size(), dials);
  near_->Tick(MonotonicNow() + kForLong);
  ASSERT_EQ(wires_.dialled.size(), dials + 1);
  EXPECT_EQ(near_->Stats().redials_by_watchdog, 0u);
  near_->OnConnected(2, wires_.dialled.back());
  EXPECT_EQ(near_->Stats().redials_by_watchdog, 1u);
  near_->OnDisconnected(2, wires_.dialled.back(), "cut");
  near_->OnConnected(2, wires_.dialled.back());
  EXPECT_EQ(near_->Stats().redials_by_watchdog, 1u);
}

// It hears and answers, so its connection is not half-open.
TEST_F(ReliablePeerTest, APeerWhoseApplicationStandsStillIsNotDialledAnew) {
  ASSERT_TRUE(near_->Connect("there").ok());
  near_->OnConnected(2, wires_.dialled.back());
  const absl::Time dialled = MonotonicNow();
  absl::Time later = dialled;
  while (later == dialled) later = MonotonicNow();
  *far_->config.stands_still = true;
  far_->session->Tick(now_);
  Exchange();
  EXPECT_FALSE(near_->Stats().up);
  near_->Tick(later + TestSessionConfig(1, 2).peer_timeout);
  EXPECT_EQ(wires_.dialled.size(), 1u);
}

// A transport may report once that nobody is there, and then nothing until
// somebody is.
TEST_F(ReliablePeerTest, ADialThatFindsNobodyIsNotCounted) {
  ASSERT_TRUE(near_->Connect("there").ok());
  near_->OnDisconnected(2, wires_.dialled.back(), "cut");
  near_->Tick(MonotonicNow() + kForLong);
  near_->OnDisconnected(2, wires_.dialled.back(), "nobody is there");
  near_->OnConnected(2, wires_.dialled.back());
  EXPECT_EQ(near_->Stats().redials_by_watchdog, 0u);
}

TEST_F(ReliablePeerTest, APeerThatNobodyShouldReachIsNotDialled) {
  near_->OnDisconnected(2, generation_, "cut");
  near_->Tick(MonotonicNow() + kForLong);  // its address is not known
  ASSERT_TRUE(near_->Connect("there").ok());
  near_->OnDisconnected(2, wires_.dialled.back(), "cut");
  const std::size_t dials = wires_.dialled.size();
  near_->Remove();
  near_->Tick(MonotonicNow() + kForLong);
  near_->Join(2, near_->Stats());
  near_->Tick(MonotonicNow() + kForLong);
  EXPECT_EQ(wires_.dialled.size(), dials);
  EXPECT_EQ(dials, 1u);
}

// While the peer gets busy and idle.
TEST_F(ReliablePeerTest, LosesNothingAmongThreads) {
  constexpr int kThreads = 3;
  constexpr int kEach = 3000;
  std::atomic<int> sending{kThreads};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Envelope envelope;
      envelope.pid = 2;
      envelope.sender_id = 1;
      for (int i = 0; i < kEach; ++i) {
        envelope.payload = absl::StrCat(t, ":", i);
        while (near_->Send(2, EnvelopeView(envelope)) != SendOutcome::kAccepted)
          std::this_thread::yield();
      }
      --sending;
    });
  }
  while (sending > 0) Exchange();
  for (std::thread& thread : threads) thread.join();
  Exchange();
  std::vector<int> next(kThreads);
  for (const std::string& payload : far_->Payloads()) {
    const auto thread = static_cast<std::size_t>(payload[0] - '0');
    ASSERT_EQ(payload, absl::StrCat(thread, ":", next[thread]++));
  }
  EXPECT_EQ(next, std::vector<int>(kThreads, kEach));
}

}  // namespace
}  // namespace cluster::internal
