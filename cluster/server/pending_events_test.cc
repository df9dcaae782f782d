#include "cluster/server/pending_events.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

PeerEvent Of(int peer, PeerEvent::Type type, std::uint64_t unknown_fate = 0) {
  PeerEvent event;
  event.peer = peer;
  event.type = type;
  event.unknown_fate = unknown_fate;
  return event;
}

// All that is told of the peer from now on.
std::string ToldOf(int peer, PendingEvents* pending) {
  std::string told;
  while (!pending->empty()) {
    const PeerEvent event = pending->Pop();
    if (event.peer != peer) continue;
    absl::StrAppend(&told, told.empty() ? "" : " ",
                    PeerEventTypeName(event.type));
    if (event.unknown_fate > 0) absl::StrAppend(&told, event.unknown_fate);
  }
  return told;
}

// Of other peers, as many as are told one by one.
PendingEvents Full() {
  PendingEvents pending;
  for (std::size_t i = 0; i < PendingEvents::kMax; ++i)
    EXPECT_TRUE(pending.Push(Of(100, PeerEvent::kRejected)));
  return pending;
}

TEST(PendingEventsTest, TellsEachInOrder) {
  PendingEvents pending;
  for (auto type : {PeerEvent::kUp, PeerEvent::kDown, PeerEvent::kRestarted,
                    PeerEvent::kUp, PeerEvent::kDown}) {
    EXPECT_TRUE(pending.Push(Of(1, type, type == PeerEvent::kRestarted)));
  }
  EXPECT_EQ(ToldOf(1, &pending), "up down restarted1 up down");
}

TEST(PendingEventsTest, OfAFloodTellsTheLastState) {
  PendingEvents pending = Full();
  EXPECT_TRUE(pending.Push(Of(1, PeerEvent::kUp)));
  for (int i = 0; i < 1000; ++i) {
    EXPECT_FALSE(pending.Push(Of(1, PeerEvent::kDown)));
    EXPECT_FALSE(pending.Push(Of(1, PeerEvent::kUp)));
  }
  EXPECT_TRUE(pending.Push(Of(2, PeerEvent::kUp)));
  EXPECT_FALSE(pending.Push(Of(1, PeerEvent::kDown)));
  EXPECT_EQ(ToldOf(1, &pending), "down");
}

TEST(PendingEventsTest, OfAFloodTellsThatThereWereRestartsAndTheirSum) {
  PendingEvents pending = Full();
  EXPECT_TRUE(pending.Push(Of(1, PeerEvent::kUp)));
  for (std::uint64_t i = 1; i <= 100; ++i) {
    pending.Push(Of(1, PeerEvent::kDown));
    pending.Push(Of(1, PeerEvent::kRestarted, i));
    pending.Push(Of(1, PeerEvent::kUp));
  }
  EXPECT_LE(pending.size(), PendingEvents::kMax + 2);
  EXPECT_EQ(ToldOf(1, &pending), "restarted5050 up");
}

TEST(PendingEventsTest, RemovalIsToldInAnyCase) {
  PendingEvents pending = Full();
  pending.Push(Of(1, PeerEvent::kUp));
  EXPECT_TRUE(pending.Push(Of(1, PeerEvent::kRemoved)));
  EXPECT_EQ(ToldOf(1, &pending), "up removed");
}

}  // namespace
}  // namespace cluster
