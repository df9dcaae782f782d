// Parts of a server in which an allocation fails.

#include <functional>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/base/clock.h"
#include "cluster/base/testing/failing_allocations.h"
#include "cluster/server/testing/wires.h"
#include "cluster/server/ticker.h"
#include "cluster/session/testing/session_pair.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

// A peer and its other end, with nothing in the pool.
class Ends {
 public:
  Ends() {
    callbacks.SetEventHandler([](const PeerEvent&) {});
    peer = std::make_unique<ReliablePeer>(config_, &wires, &inbox, &callbacks,
                                          &rejections_, &ticker_);
    peer->Join(2, PeerStats());
    peer->OnConnected(2, 1);
    far.session->OnConnected(now_);
    Exchange();
    config_.buffers->Trim();
    config_.buffers->Trim();
  }

  void Exchange() {
    int frames = 0;
    do {
      frames = Carry(2, &wires, &far);
      const std::vector<std::string> answers = far.Speak();
      if (Hear(answers, peer.get())) peer->OnDrained();
      frames += static_cast<int>(answers.size());
    } while (frames > 0);
  }

  static Envelope Make(int number, std::size_t bytes) {
    Envelope envelope;
    envelope.pid = 2;
    envelope.sender_id = 1;
    envelope.payload = absl::StrCat(number, ".");
    envelope.payload.resize(bytes, 'x');
    return envelope;
  }

  Wires wires;
  Inbox inbox{1, 1 << 20, 1 << 20};
  Callbacks callbacks{&inbox};
  std::unique_ptr<ReliablePeer> peer;
  SessionEnd far{TestSessionConfig(2, 1), &now_};

 private:
  const SessionConfig config_ = TestSessionConfig(1, 2);
  absl::Time now_ = absl::UnixEpoch();
  Rejections rejections_{[](PeerEvent) {}, [](int) { return true; }};
  Ticker ticker_{nullptr, absl::Seconds(1), absl::Seconds(1)};  // not started
};

bool Accepts(ReliablePeer* peer, const Envelope& envelope) {
  try {
    return peer->Send(2, EnvelopeView(envelope)) == SendOutcome::kAccepted;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

// Queued, and sent when a frame is full.
TEST(AllocationTest, ABusyPeerHasWhatItsSenderWasToldThatItTook) {
  constexpr int kEnvelopes = 60;
  for (FailingAllocations::Which which :
       {FailingAllocations::kOne, FailingAllocations::kRest}) {
    bool failed = true;
    int nth = 1;
    for (; failed; ++nth) {
      SCOPED_TRACE(nth);
      Ends ends;
      std::vector<Envelope> envelopes;
      for (int i = 0; i < kEnvelopes; ++i)
        envelopes.push_back(Ends::Make(i, 100));
      std::vector<char> accepted(kEnvelopes);
      {
        const FailingAllocations failing(nth, which);
        for (int i = 0; i < kEnvelopes; ++i)
          accepted[i] = Accepts(ends.peer.get(), envelopes[i]) ? 1 : 0;
        failed = failing.failed();
      }
      std::vector<std::string> expected;
      for (int i = 0; i < kEnvelopes; ++i) {
        if (accepted[i]) expected.push_back(envelopes[i].payload);
      }
      EXPECT_TRUE(AddsUp(ends.peer->Stats()));
      EXPECT_EQ(ends.peer->Stats().accepted, expected.size());
      ends.peer->Tick(MonotonicNow());
      ends.Exchange();
      EXPECT_EQ(ends.far.Payloads(), expected);
      EXPECT_TRUE(AddsUp(ends.peer->Stats()));
    }
    EXPECT_GT(nth, 2);
  }
}

// Not only once somebody asks after it.
TEST(AllocationTest, WhatCannotLeaveLeavesWithTheNextTick) {
  bool failed = true;
  int waited = 0;
  for (int nth = 1; failed; ++nth) {
    SCOPED_TRACE(nth);
    Ends ends;
    const Envelope envelope = Ends::Make(1, 100);
    bool accepted = false;
    {
      const FailingAllocations failing(nth, FailingAllocations::kRest);
      accepted = Accepts(ends.peer.get(), envelope);
      failed = failing.failed();
    }
    if (!accepted) continue;
    if (ends.wires.sent[2].empty()) ++waited;
    ends.peer->Tick(MonotonicNow());
    EXPECT_EQ(ends.wires.sent[2].size(), 1u);
    ends.Exchange();
    EXPECT_EQ(ends.far.Payloads().size(), 1u);
  }
  EXPECT_GT(waited, 0);
}

TEST(AllocationTest, AnEnvelopeThatIsNotTakenTakesNoRoom) {
  bool failed = true;
  int nth = 1;
  for (; failed; ++nth) {
    SCOPED_TRACE(nth);
    Inbox inbox(1, 1000, 1000);
    const Envelope envelope = Ends::Make(1, 500);
    bool taken = false;
    {
      const FailingAllocations failing(nth, FailingAllocations::kRest);
      try {
        taken = inbox.PushEnvelope(EnvelopeView(envelope));
      } catch (const std::bad_alloc&) {
      }
      failed = failing.failed();
    }
    EXPECT_EQ(inbox.bytes() > 0, taken);
    if (!taken) {
      EXPECT_TRUE(inbox.PushEnvelope(EnvelopeView(envelope)));
    }
  }
  EXPECT_GT(nth, 2);
}

}  // namespace
}  // namespace cluster::internal
