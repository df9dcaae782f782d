#include "cluster/server/inbox.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/types/optional.h"
#include "cluster/base/mutex.h"
#include "cluster/codec/registry.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

constexpr int kSelf = 1;
constexpr int kPeer = 2;
constexpr std::size_t kPayloadBytesMax = 1 << 20;

EnvelopeView Addressed(int sender_id) {
  EnvelopeView envelope;
  envelope.pid = kSelf;
  envelope.sender_id = sender_id;
  envelope.payload = "payload";
  return envelope;
}

// An arrival of `records` records.
Arrival ArrivalOf(std::uint32_t records) {
  const Codec* const codec = *FindCodec("binary");
  const EnvelopeView envelope = Addressed(kPeer);
  std::string body(records * codec->RecordBytesMax(envelope), '\0');
  EncodeState state;
  char* end = &body[0];
  for (std::uint32_t i = 0; i < records; ++i)
    end = codec->AppendRecord(envelope, &state, end);
  body.resize(static_cast<std::size_t>(end - body.data()));
  Arrival arrival;
  arrival.sender = kPeer;
  arrival.codec = codec->Id();
  arrival.records = records;
  arrival.body = MakeSlice(std::move(body));
  return arrival;
}

// Remembers the inbox's bytes at the moment when an arrival is consumed.
class ByteWatch : public ArrivalSource {
 public:
  explicit ByteWatch(const Inbox* inbox) : inbox_(inbox) {}
  void OnConsumed(const Arrival&) override {
    ++consumed;
    bytes_when_consumed = inbox_->bytes();
  }
  void OnBadRecords(const Arrival&, RefusalReason,
                    absl::string_view reason) override {
    ADD_FAILURE() << reason;
  }

  int consumed = 0;
  std::size_t bytes_when_consumed = 0;

 private:
  const Inbox* const inbox_;
};

// Whether a thread that waits to read, or is about to, may read after `change`.
bool WakesAReader(Inbox* inbox, const std::function<void()>& change) {
  std::atomic<bool> comes{false};
  bool taken = false;
  std::thread reader([&] {
    comes = true;
    taken = inbox->BeginReading(std::chrono::steady_clock::now() +
                                std::chrono::seconds(30));
  });
  while (!comes) std::this_thread::yield();
  change();
  reader.join();
  return taken;
}

TEST(InboxTest, AnEnvelopeInHandIsNoLongerCounted) {
  Inbox inbox(kSelf, kPayloadBytesMax, kPayloadBytesMax);
  ASSERT_TRUE(inbox.PushEnvelope(Addressed(kSelf)));
  EXPECT_GT(inbox.bytes(), 0u);
  ASSERT_TRUE(inbox.TryBeginReading());
  const EnvelopeView* const envelope = inbox.Next();
  ASSERT_NE(envelope, nullptr);
  EXPECT_EQ(envelope->payload, "payload");
  EXPECT_EQ(inbox.bytes(), 0u);
  EXPECT_EQ(inbox.delivered(), 1u);
  EXPECT_EQ(inbox.Next(), nullptr);
  inbox.EndReading();
  EXPECT_EQ(inbox.bytes(), 0u);
}

TEST(InboxTest, AnEnvelopeInHandLeavesRoomForTheNext) {
  constexpr std::size_t kBytesMax = 200;  // one, with what is charged for it
  Inbox inbox(kSelf, kPayloadBytesMax, kBytesMax);
  ASSERT_TRUE(inbox.PushEnvelope(Addressed(kSelf)));
  EXPECT_FALSE(inbox.PushEnvelope(Addressed(kSelf)));
  ASSERT_TRUE(inbox.TryBeginReading());
  ASSERT_NE(inbox.Next(), nullptr);
  EXPECT_TRUE(inbox.PushEnvelope(Addressed(kSelf)));
  inbox.EndReading();
}

TEST(InboxTest, WhatAWindowBoundsTakesNoRoomFromEnvelopes) {
  Inbox inbox(kSelf, kPayloadBytesMax, 1);
  ByteWatch source(&inbox);
  inbox.Push(&source, ArrivalOf(2));
  EXPECT_TRUE(inbox.PushEnvelope(Addressed(kSelf)));
  EXPECT_FALSE(inbox.PushEnvelope(Addressed(kSelf)));
}

TEST(InboxTest, AnArrivalIsCountedUntilJustBeforeItsSourceHears) {
  Inbox inbox(kSelf, kPayloadBytesMax, kPayloadBytesMax);
  ByteWatch source(&inbox);
  Arrival arrival = ArrivalOf(2);
  const std::size_t bytes = arrival.body.bytes.size();
  inbox.Push(&source, std::move(arrival));
  ASSERT_TRUE(inbox.TryBeginReading());
  ASSERT_NE(inbox.Next(), nullptr);
  ASSERT_NE(inbox.Next(), nullptr);
  EXPECT_EQ(inbox.bytes(), bytes);
  EXPECT_EQ(source.consumed, 0);
  inbox.EndReading();
  EXPECT_EQ(source.consumed, 1);
  EXPECT_EQ(source.bytes_when_consumed, 0u);
}

// Frames come in until the transport has stopped, and say that they were
// received.
TEST(InboxTest, WhatArrivesAfterCloseIsCountedAndNotConsumed) {
  Inbox inbox(kSelf, kPayloadBytesMax, kPayloadBytesMax);
  ByteWatch source(&inbox);
  const Arrival arrival = ArrivalOf(2);
  inbox.Push(&source, arrival);
  inbox.Close();
  inbox.Push(&source, arrival);
  EXPECT_EQ(inbox.bytes(), 2 * arrival.body.bytes.size());
  EXPECT_FALSE(inbox.TryBeginReading());
  EXPECT_EQ(inbox.delivered(), 0u);
  EXPECT_EQ(source.consumed, 0);
}

PeerEvent EventOf(int peer) {
  PeerEvent event;
  event.peer = peer;
  return event;
}

// Tells an event; its peer, or 0.
int TakeEvent(Inbox* inbox) {
  int peer = 0;
  const bool told =
      inbox->ReportEvent([&](const PeerEvent& event) { peer = event.peer; });
  EXPECT_EQ(told, peer != 0);
  return peer;
}

// All that is to be read now: "e" for an envelope, an event by its peer.
std::string ReadAll(Inbox* inbox, bool takes_events = false) {
  std::string read;
  if (!inbox->TryBeginReading()) return read;
  const Inbox::Reading role(inbox);
  while (true) {
    if (inbox->Next() != nullptr) {
      read += "e";
    } else if (const int event = takes_events ? TakeEvent(inbox) : 0) {
      read += std::to_string(event);
    } else {
      return read;
    }
  }
}

TEST(InboxTest, AReaderOfEventsTakesAllInOrder) {
  Inbox inbox(kSelf, kPayloadBytesMax, kPayloadBytesMax);
  inbox.SetEventTaker(Inbox::EventTaker::kReader);
  ByteWatch source(&inbox);
  inbox.PushEvent(EventOf(2));
  inbox.PushEvent(EventOf(3));
  EXPECT_EQ(ReadAll(&inbox, true), "23");
  inbox.PushEvent(EventOf(4));
  inbox.Push(&source, ArrivalOf(2));
  ASSERT_TRUE(inbox.PushEnvelope(Addressed(kSelf)));
  inbox.PushEvent(EventOf(5));
  inbox.Push(&source, ArrivalOf(1));
  EXPECT_EQ(ReadAll(&inbox, true), "4eee5e");
  EXPECT_EQ(ReadAll(&inbox, true), "");
}

TEST(InboxTest, AReaderIsNotPastAnEventThatItHasNotTaken) {
  Inbox inbox(kSelf, kPayloadBytesMax, kPayloadBytesMax);
  inbox.SetEventTaker(Inbox::EventTaker::kReader);
  inbox.PushEvent(EventOf(2));
  ASSERT_TRUE(inbox.PushEnvelope(Addressed(kSelf)));
  ASSERT_TRUE(inbox.TryBeginReading());
  EXPECT_EQ(inbox.Next(), nullptr);
  inbox.EndReading();
  EXPECT_EQ(ReadAll(&inbox, true), "2e");
}

TEST(InboxTest, EventsThatNobodyTakesAreNotKept) {
  Inbox inbox(kSelf, kPayloadBytesMax, kPayloadBytesMax);
  inbox.PushEvent(EventOf(2));
  ASSERT_TRUE(inbox.PushEnvelope(Addressed(kSelf)));
  EXPECT_EQ(TakeEvent(&inbox), 0);
  EXPECT_EQ(ReadAll(&inbox), "e");
}

TEST(InboxTest, ATellerIsNotBehindWhatIsUnread) {
  Inbox inbox(kSelf, kPayloadBytesMax, kPayloadBytesMax);
  inbox.SetEventTaker(Inbox::EventTaker::kReporter);
  ASSERT_TRUE(inbox.PushEnvelope(Addressed(kSelf)));
  inbox.PushEvent(EventOf(2));
  EXPECT_EQ(TakeEvent(&inbox), 2);
  EXPECT_EQ(TakeEvent(&inbox), 0);
  EXPECT_EQ(ReadAll(&inbox), "e");
}

TEST(InboxTest, OneEventAtATimeIsTold) {
  Inbox inbox(kSelf, kPayloadBytesMax, kPayloadBytesMax);
  inbox.SetEventTaker(Inbox::EventTaker::kReporter);
  inbox.PushEvent(EventOf(2));
  inbox.PushEvent(EventOf(3));
  EXPECT_TRUE(inbox.ReportEvent(
      [&](const PeerEvent&) { EXPECT_EQ(TakeEvent(&inbox), 0); }));
  EXPECT_EQ(TakeEvent(&inbox), 3);
}

TEST(InboxTest, OnlyWhatIsBeforeAnUntoldEventIsRead) {
  Inbox inbox(kSelf, kPayloadBytesMax, kPayloadBytesMax);
  inbox.SetEventTaker(Inbox::EventTaker::kReporter);
  ASSERT_TRUE(inbox.PushEnvelope(Addressed(kSelf)));
  inbox.PushEvent(EventOf(2));
  ASSERT_TRUE(inbox.PushEnvelope(Addressed(kSelf)));
  inbox.PushEvent(EventOf(3));
  ASSERT_TRUE(inbox.PushEnvelope(Addressed(kSelf)));
  const auto nothing_to_read = [&](const PeerEvent&) {
    EXPECT_EQ(ReadAll(&inbox), "");
  };
  EXPECT_EQ(ReadAll(&inbox), "e");
  EXPECT_FALSE(inbox.TryBeginReading());
  EXPECT_TRUE(inbox.ReportEvent(nothing_to_read));
  EXPECT_EQ(ReadAll(&inbox), "e");
  EXPECT_TRUE(inbox.ReportEvent(nothing_to_read));
  EXPECT_EQ(ReadAll(&inbox), "e");
}

// In most rounds the reader waits by then.
TEST(InboxTest, TheEndOfTellingWakesAReader) {
  constexpr int kRounds = 300;
  Inbox inbox(kSelf, kPayloadBytesMax, kPayloadBytesMax);
  inbox.SetEventTaker(Inbox::EventTaker::kReporter);
  for (int round = 0; round < kRounds; ++round) {
    inbox.PushEvent(EventOf(2));
    ASSERT_TRUE(WakesAReader(&inbox, [&] {
      inbox.ReportEvent([&](const PeerEvent&) {
        EXPECT_TRUE(inbox.PushEnvelope(Addressed(kSelf)));
      });
    })) << round;
    EXPECT_NE(inbox.Next(), nullptr);
    inbox.EndReading();
  }
}

// An event that takes in an earlier one gives up its place, and the envelopes
// behind that may be read. In most rounds the reader waits by then.
TEST(InboxTest, AnEventThatMovesBackWakesAReader) {
  constexpr int kRounds = 100;
  for (int round = 0; round < kRounds; ++round) {
    Inbox inbox(kSelf, kPayloadBytesMax, kPayloadBytesMax);
    inbox.SetEventTaker(Inbox::EventTaker::kReporter);
    inbox.PushEvent(EventOf(2));
    ASSERT_TRUE(inbox.PushEnvelope(Addressed(kSelf)));
    for (std::size_t i = 1; i < EventQueue::kMax; ++i)
      inbox.PushEvent(EventOf(3));
    ASSERT_TRUE(WakesAReader(&inbox, [&] {
      inbox.PushEvent(EventOf(2));
      inbox.WakeReader();
    })) << round;
    EXPECT_NE(inbox.Next(), nullptr);
    inbox.EndReading();
  }
}

// Counts what readers took, and tells who waits for it.
class TakenCount {
 public:
  void Add() {
    MutexLock lock(&mutex_);
    ++taken_;
    changed_.NotifyAll();
  }
  bool WaitFor(int wanted) {
    MutexLock lock(&mutex_);
    return changed_.WaitFor(&mutex_, std::chrono::seconds(30),
                            [&] { return taken_ >= wanted; });
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int taken_ = 0;
};

// A reader that waits for the role hears of its end: with records left, or with
// none and more to come. In most rounds the other waits by then.
TEST(InboxTest, TheEndOfReadingIsTold) {
  constexpr int kRounds = 300;
  Inbox inbox(kSelf, kPayloadBytesMax, kPayloadBytesMax);
  ByteWatch source(&inbox);
  for (int round = 0; round < kRounds; ++round) {
    inbox.Push(&source, ArrivalOf(2));
    ASSERT_TRUE(inbox.TryBeginReading());
    ASSERT_NE(inbox.Next(), nullptr);
    ASSERT_TRUE(WakesAReader(&inbox, [&] {
      if (round % 2 == 0) {
        EXPECT_NE(inbox.Next(), nullptr);
        inbox.Push(&source, ArrivalOf(1));
      }
      inbox.EndReading();
    })) << round;
    EXPECT_NE(inbox.Next(), nullptr);
    inbox.EndReading();
  }
  EXPECT_EQ(inbox.bytes(), 0u);
}

// Each takes one envelope at a time, so that the next is often left to another.
// Half of them give up waiting again and again: the reader that the role's end
// wakes may be about to leave.
TEST(InboxTest, OfManyReadersOneAlwaysHears) {
  constexpr int kArrivals = 5000;
  constexpr int kRecords = 2;
  Inbox inbox(kSelf, kPayloadBytesMax, kPayloadBytesMax);
  ByteWatch source(&inbox);
  TakenCount taken;
  std::vector<std::thread> readers;
  for (const auto patience :
       {std::chrono::microseconds(20), std::chrono::microseconds(100),
        std::chrono::microseconds(60000000),
        std::chrono::microseconds(60000000)}) {
    readers.emplace_back([&, patience] {
      while (!inbox.closed()) {
        if (!inbox.TryBeginReading() &&
            !inbox.BeginReading(std::chrono::steady_clock::now() + patience)) {
          continue;
        }
        const bool found = inbox.Next() != nullptr;
        inbox.EndReading();
        if (found) taken.Add();
      }
    });
  }
  const Arrival arrival = ArrivalOf(kRecords);
  bool all = true;
  for (int i = 1; all && i <= kArrivals; ++i) {
    inbox.Push(&source, arrival);
    inbox.WakeReader();
    all = taken.WaitFor(i * kRecords);
  }
  inbox.Close();
  for (std::thread& reader : readers) reader.join();
  EXPECT_TRUE(all);
  EXPECT_EQ(source.consumed, kArrivals);
  EXPECT_EQ(inbox.delivered(),
            static_cast<std::uint64_t>(kArrivals) * kRecords);
}

TEST(InboxTest, AccountsForOwnEnvelopesAlone) {
  Inbox inbox(kSelf, kPayloadBytesMax, 1 << 20);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(inbox.PushEnvelope(Addressed(kSelf)));
    ASSERT_TRUE(inbox.PushEnvelope(Addressed(kPeer)));
  }
  PeerStats own = inbox.OwnStats();
  EXPECT_EQ(own.accepted, 3u);
  EXPECT_EQ(own.queued, 3u);
  EXPECT_GT(own.queued_bytes, 0u);
  ASSERT_TRUE(inbox.TryBeginReading());
  ASSERT_NE(inbox.Next(), nullptr);
  own = inbox.OwnStats();
  EXPECT_EQ(own.queued, 2u);
  EXPECT_EQ(own.in_flight, 1u);
  EXPECT_EQ(own.acknowledged, 0u);
  EXPECT_FALSE(inbox.WaitOwn(1, std::chrono::steady_clock::now()));
  ASSERT_NE(inbox.Next(), nullptr);
  EXPECT_TRUE(inbox.WaitOwn(1, std::chrono::steady_clock::now()));
  EXPECT_FALSE(inbox.WaitOwn(2, std::chrono::steady_clock::now()));
  own = inbox.OwnStats();
  EXPECT_EQ(own.in_flight, 0u);
  EXPECT_EQ(own.acknowledged, 1u);
  ASSERT_NE(inbox.Next(), nullptr);  // own, and not settled yet
  inbox.Close();
  EXPECT_FALSE(inbox.PushEnvelope(Addressed(kSelf)));
  inbox.EndReading();
  own = inbox.OwnStats();
  EXPECT_EQ(own.accepted, 3u);
  EXPECT_EQ(own.acknowledged, 2u);
  EXPECT_EQ(own.Dropped(DropReason::kStopped), 1u);
  EXPECT_EQ(own.queued + own.in_flight + own.queued_bytes, 0u);
}

}  // namespace
}  // namespace cluster::internal
