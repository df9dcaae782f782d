#include "cluster/server/event_queue.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

PeerEvent Of(int peer, PeerEvent::Type type, std::uint64_t unknown_fate = 0) {
  PeerEvent event;
  event.peer = peer;
  event.type = type;
  event.unknown_fate = unknown_fate;
  return event;
}

// The types of the peer's events, in order, with their sums.
std::string ToldOf(int peer, EventQueue* events) {
  std::string told;
  while (!events->empty()) {
    const PeerEvent event = events->Pop();
    if (event.peer != peer) continue;
    absl::StrAppend(&told, told.empty() ? "" : " ",
                    PeerEventTypeName(event.type));
    if (event.unknown_fate > 0) absl::StrAppend(&told, event.unknown_fate);
  }
  return told;
}

// Of other peers, as many as wait one by one.
EventQueue Full() {
  EventQueue events;
  for (std::size_t i = 0; i < EventQueue::kMax; ++i)
    events.Push(Of(100 + static_cast<int>(i), PeerEvent::kUp), 0);
  return events;
}

TEST(EventQueueTest, TellsEachInOrder) {
  EventQueue events;
  for (auto type : {PeerEvent::kUp, PeerEvent::kDown, PeerEvent::kRestarted,
                    PeerEvent::kUp, PeerEvent::kDown}) {
    events.Push(Of(1, type, type == PeerEvent::kRestarted), 0);
  }
  EXPECT_EQ(ToldOf(1, &events), "up down restarted1 up down");
}

TEST(EventQueueTest, TellsThePlaceOfTheFirst) {
  EventQueue events;
  events.Push(Of(1, PeerEvent::kUp), 3);
  events.Push(Of(1, PeerEvent::kDown), 5);
  EXPECT_EQ(events.first_place(), 3u);
  events.Pop();
  EXPECT_EQ(events.first_place(), 5u);
}

TEST(EventQueueTest, OfAFloodTellsTheLastStateLast) {
  EventQueue events = Full();
  events.Push(Of(1, PeerEvent::kUp), 0);
  for (int i = 0; i < 1000; ++i) {
    events.Push(Of(1, PeerEvent::kDown), 0);
    events.Push(Of(1, PeerEvent::kUp), 0);
  }
  events.Push(Of(2, PeerEvent::kUp), 0);
  events.Push(Of(1, PeerEvent::kDown), 0);
  EXPECT_EQ(events.size(), EventQueue::kMax + 3);
  EXPECT_EQ(ToldOf(1, &events), "up down");
}

TEST(EventQueueTest, OfAFloodTellsThatThereWereRestartsAndTheirSum) {
  EventQueue events = Full();
  events.Push(Of(1, PeerEvent::kUp), 0);
  for (std::uint64_t i = 1; i <= 100; ++i) {
    events.Push(Of(1, PeerEvent::kDown), 0);
    events.Push(Of(1, PeerEvent::kRestarted, i), 0);
    events.Push(Of(1, PeerEvent::kUp), 0);
  }
  EXPECT_EQ(events.size(), EventQueue::kMax + 3);
  EXPECT_EQ(ToldOf(1, &events), "down restarted5050 up");
}

// The envelopes of the session that it ends lie before it.
TEST(EventQueueTest, OfAFloodARestartHasItsOwnPlace) {
  EventQueue events = Full();
  events.Push(Of(1, PeerEvent::kRestarted), 1);
  events.Push(Of(1, PeerEvent::kRestarted), 7);
  for (std::size_t i = 0; i < EventQueue::kMax; ++i) events.Pop();
  EXPECT_EQ(events.first_place(), 7u);
}

TEST(EventQueueTest, OfAFloodTellsHowManyRejectionsAreWithheld) {
  EventQueue events = Full();
  PeerEvent rejected = Of(PeerEvent::kNobody, PeerEvent::kRejected);
  rejected.withheld = 10;
  for (int i = 0; i < 3; ++i) events.Push(rejected, 0);
  EXPECT_EQ(events.size(), EventQueue::kMax + 1);
  for (std::size_t i = 0; i < EventQueue::kMax; ++i) events.Pop();
  EXPECT_EQ(events.Pop().withheld, 32u);
}

TEST(EventQueueTest, PeersThatComeAndGoForEverLeaveTheirLatest) {
  EventQueue events;
  constexpr int kPeers = 10000;
  for (int peer = 1; peer <= kPeers; ++peer)
    events.Push(Of(peer, PeerEvent::kRemoved), 0);
  EXPECT_EQ(events.size(), EventQueue::kMost);
  EXPECT_EQ(events.Pop().peer,
            kPeers - static_cast<int>(EventQueue::kMost) + 1);
}

TEST(EventQueueTest, RemovalIsToldInAnyCase) {
  EventQueue events = Full();
  events.Push(Of(1, PeerEvent::kUp), 0);
  events.Push(Of(1, PeerEvent::kRemoved), 0);
  EXPECT_EQ(ToldOf(1, &events), "up removed");
}

}  // namespace
}  // namespace cluster::internal
