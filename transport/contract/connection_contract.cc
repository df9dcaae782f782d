// Contract: connections that come, go and come back.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/transport/contract/contract_suite.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

TEST_P(TransportContract, ConnectReportsTheConnection) {
  auto receiver = StartNode(2);
  auto sender = StartNode(1);
  ASSERT_TRUE(receiver != nullptr && sender != nullptr);
  ASSERT_TRUE(sender->Connect(2, receiver->transport->Address()).ok());
  EXPECT_TRUE(sender->handler.WaitForConnected(2));
  // The dialled side has no callback.
  EXPECT_TRUE(receiver->handler.Get().connected.empty());
}

TEST_P(TransportContract, AFailedAttemptIsReportedWithAReason) {
  auto sender = StartNode(1);
  const std::string nobody = DeadAddress();
  ASSERT_TRUE(sender != nullptr && nobody != "");
  ASSERT_TRUE(sender->Connect(2, nobody).ok());
  ASSERT_TRUE(sender->handler.WaitForDisconnected(2));
  EXPECT_NE(sender->handler.Get().reason, "");
  EXPECT_TRUE(sender->handler.Get().connected.empty());
}

TEST_P(TransportContract, FramesSentBeforeThePeerListensArriveOnceItDoes) {
  auto sender = StartNode(1);
  auto receiver = NewNode(2);
  const std::string address = DeadAddress();
  ASSERT_TRUE(sender != nullptr && receiver != nullptr && address != "");
  ASSERT_TRUE(sender->Connect(2, address).ok());
  std::vector<std::string> sent;
  for (int i = 0; i < 100; ++i) {
    sent.push_back(absl::StrCat("early", i));
    ASSERT_EQ(sender->Send(2, sent.back()), SendResult::kSent);
  }
  ASSERT_TRUE(sender->handler.WaitForDisconnected(2));
  ASSERT_TRUE(receiver->transport->Start(&receiver->handler, address).ok());
  ASSERT_TRUE(sender->handler.WaitForConnected(2));
  ASSERT_TRUE(receiver->handler.WaitForFrames(100));
  EXPECT_EQ(receiver->handler.Texts(), sent);
}

TEST_P(TransportContract, APeerThatRestartsIsDialledAgain) {
  auto sender = StartNode(1);
  auto receiver = StartNode(2);
  ASSERT_TRUE(sender != nullptr && receiver != nullptr);
  const std::string address = receiver->transport->Address();
  ASSERT_TRUE(sender->Connect(2, address).ok());
  for (int life = 1; life <= 3; ++life) {
    ASSERT_TRUE(sender->handler.WaitForConnected(2, life));
    ASSERT_TRUE(
        SendUntilOneArrives(*sender, 2, *receiver, absl::StrCat("life", life)));
    const int failures = Recorded::Count(sender->handler.Get().disconnected, 2);
    receiver.reset();
    ASSERT_TRUE(sender->handler.WaitForDisconnected(2, failures + 1));
    EXPECT_NE(sender->handler.Get().reason, "");
    receiver = NewNode(2);
    ASSERT_NE(receiver, nullptr);
    const absl::Status started =
        receiver->transport->Start(&receiver->handler, address);
    ASSERT_TRUE(started.ok()) << started;
  }
  ASSERT_TRUE(SendUntilOneArrives(*sender, 2, *receiver, "in the end"));
}

TEST_P(TransportContract, AFrameToAnUnknownPeerIsLost) {
  auto receiver = StartNode(2);
  auto sender = StartNode(1);
  ASSERT_TRUE(receiver != nullptr && sender != nullptr);
  EXPECT_EQ(sender->Send(2, "too early"), SendResult::kSent);
  EXPECT_EQ(sender->Send(77, "to nobody"), SendResult::kSent);
  ASSERT_TRUE(sender->Connect(2, receiver->transport->Address()).ok());
  ASSERT_EQ(sender->Send(2, "hello"), SendResult::kSent);
  ASSERT_TRUE(receiver->handler.WaitForFrames(1));
  EXPECT_EQ(receiver->handler.Texts(), std::vector<std::string>{"hello"});
}

// Dials another address the second time, since an attempt in progress at
// Disconnect may still succeed.
TEST_P(TransportContract, DisconnectForgetsThePeerAndItsQueue) {
  auto sender = StartNode(1);
  const std::string dead = DeadAddress();
  auto receiver = StartNode(2);
  ASSERT_TRUE(sender != nullptr && receiver != nullptr && dead != "");
  ASSERT_TRUE(sender->Connect(2, dead).ok());
  ASSERT_EQ(sender->Send(2, "queued"), SendResult::kSent);
  sender->transport->Disconnect(2);
  sender->transport->Disconnect(2);
  sender->transport->Disconnect(77);
  EXPECT_EQ(sender->Send(2, "between"), SendResult::kSent);

  const std::string address = receiver->transport->Address();
  ASSERT_TRUE(sender->Connect(2, address).ok());
  ASSERT_EQ(sender->Send(2, "after"), SendResult::kSent);
  ASSERT_TRUE(receiver->handler.WaitForFrames(1));
  EXPECT_EQ(receiver->handler.Texts(), std::vector<std::string>{"after"});
}

// A goodbye arrives even if Disconnect follows at once.
TEST_P(TransportContract, WhatWasSentOnAConnectionArrivesDespiteDisconnect) {
  auto receiver = StartNode(2);
  auto sender = StartNode(1);
  ASSERT_TRUE(receiver != nullptr && sender != nullptr);
  const std::string address = receiver->transport->Address();
  std::vector<std::string> sent;
  for (int i = 1; i <= 20; ++i) {
    ASSERT_TRUE(sender->Connect(2, address).ok());
    ASSERT_TRUE(sender->handler.WaitForConnected(2, i)) << i;
    for (int j = 0; j < 20; ++j) {
      sent.push_back(absl::StrCat(i, "-", j, std::string(j * 100, 'x')));
      ASSERT_EQ(sender->Send(2, sent.back()), SendResult::kSent);
    }
    sender->transport->Disconnect(2);
    EXPECT_EQ(sender->Send(2, "too late"), SendResult::kSent);
    ASSERT_TRUE(receiver->handler.WaitForFrames(sent.size())) << i;
  }
  EXPECT_EQ(receiver->handler.Texts(), sent);
}

TEST_P(TransportContract, AConnectedPeerCanBeLeftAndDialledAgain) {
  auto receiver = StartNode(2);
  auto sender = StartNode(1);
  ASSERT_TRUE(receiver != nullptr && sender != nullptr);
  const std::string address = receiver->transport->Address();
  for (int i = 1; i <= 5; ++i) {
    ASSERT_TRUE(sender->Connect(2, address).ok());
    ASSERT_TRUE(sender->handler.WaitForConnected(2, i)) << i;
    ASSERT_EQ(sender->Send(2, absl::StrCat(i)), SendResult::kSent);
    ASSERT_TRUE(receiver->handler.WaitForFrames(i)) << i;
    sender->transport->Disconnect(2);
  }
  EXPECT_EQ(receiver->handler.Texts(),
            (std::vector<std::string>{"1", "2", "3", "4", "5"}));
}

TEST_P(TransportContract, ConnectMovesAKnownPeerToANewAddress) {
  auto first = StartNode(2);
  auto second = StartNode(2);
  auto sender = StartNode(1);
  ASSERT_TRUE(first != nullptr && second != nullptr && sender != nullptr);
  ASSERT_TRUE(sender->Connect(2, first->transport->Address()).ok());
  ASSERT_EQ(sender->Send(2, "to the first"), SendResult::kSent);
  ASSERT_TRUE(first->handler.WaitForFrames(1));

  ASSERT_TRUE(sender->Connect(2, second->transport->Address()).ok());
  ASSERT_EQ(sender->Send(2, "to the second"), SendResult::kSent);
  ASSERT_TRUE(second->handler.WaitForFrames(1));
  EXPECT_EQ(second->handler.Texts(), std::vector<std::string>{"to the second"});
  EXPECT_EQ(first->handler.Get().frame_count, 1u);
}

TEST_P(TransportContract, ConnectMovesAPeerThatNeverAnswered) {
  auto receiver = StartNode(2);
  auto sender = StartNode(1);
  const std::string nobody = DeadAddress();
  ASSERT_TRUE(receiver != nullptr && sender != nullptr && nobody != "");
  ASSERT_TRUE(sender->Connect(2, nobody).ok());
  ASSERT_TRUE(sender->Connect(2, receiver->transport->Address()).ok());
  ASSERT_EQ(sender->Send(2, "found"), SendResult::kSent);
  EXPECT_TRUE(receiver->handler.WaitFor(
      [](const Recorded& r) { return r.HasFrame("found"); }));
}

// OnDisconnected is still running when the sender dials the peer anew.
TEST_P(TransportContract, ALossThatIsToldLateHasItsOwnGeneration) {
  auto first = StartNode(2);
  auto second = StartNode(2);
  auto sender = NewNode(1);
  ASSERT_TRUE(first != nullptr && second != nullptr && sender != nullptr);
  Gate held;
  Gate release;
  sender->handler.on_disconnected = [&](int, std::uint64_t generation) {
    EXPECT_EQ(generation, 1u);
    held.Open();
    release.Wait();
  };
  ASSERT_TRUE(
      sender->transport->Start(&sender->handler, GetParam().fresh_address())
          .ok());
  ASSERT_TRUE(
      sender->transport->Connect(2, first->transport->Address(), 1).ok());
  EXPECT_TRUE(sender->handler.WaitForConnected(2));
  first.reset();
  held.Wait();
  sender->transport->Disconnect(2);
  EXPECT_TRUE(
      sender->transport->Connect(2, second->transport->Address(), 2).ok());
  const auto connected = [](const Recorded& r) {
    const auto found = r.connected_generation.find(2);
    return found != r.connected_generation.end() && found->second == 2;
  };
  if (GetParam().callbacks_overlap) {
    EXPECT_TRUE(sender->handler.WaitFor(connected));
  }
  release.Open();
  EXPECT_TRUE(sender->handler.WaitFor(connected));
  EXPECT_TRUE(sender->SendWaiting(2, "again"));
  EXPECT_TRUE(second->handler.WaitForFrames(1));
}

TEST_P(TransportContract, APeerThatMovesIsToldByTheGenerationOfItsConnect) {
  auto first = StartNode(2);
  auto second = StartNode(2);
  auto sender = StartNode(1);
  ASSERT_TRUE(first != nullptr && second != nullptr && sender != nullptr);
  ASSERT_TRUE(
      sender->transport->Connect(2, first->transport->Address(), 7).ok());
  ASSERT_TRUE(sender->handler.WaitForConnected(2));
  EXPECT_EQ(sender->handler.Get().connected_generation[2], 7u);
  ASSERT_TRUE(
      sender->transport->Connect(2, second->transport->Address(), 8).ok());
  ASSERT_TRUE(sender->handler.WaitForConnected(2, 2));
  Recorded recorded = sender->handler.Get();
  EXPECT_EQ(recorded.connected_generation[2], 8u);
  // A report of the first connection's end has the first generation.
  if (recorded.disconnected.count(2) > 0) {
    EXPECT_EQ(recorded.disconnected_generation[2], 7u);
  }
  second.reset();
  EXPECT_TRUE(sender->handler.WaitFor([](const Recorded& r) {
    const auto found = r.disconnected_generation.find(2);
    return found != r.disconnected_generation.end() && found->second == 8;
  }));
}

}  // namespace
}  // namespace cluster
