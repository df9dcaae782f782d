// Envelopes whose payloads are moved, in pieces or kept, over each backend.

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cluster/base/mutex.h"
#include "cluster/server.h"
#include "gtest/gtest.h"
#include "tests/harness/fresh_address.h"
#include "tests/harness/transports.h"

namespace cluster::internal {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(60);

std::string Bytes(std::size_t count) {
  std::string bytes(count, '\0');
  for (std::size_t i = 0; i < count; ++i)
    bytes[i] = static_cast<char>('a' + i * i % 23);
  return bytes;
}

Envelope To(int pid, std::string payload) {
  Envelope envelope;
  envelope.pid = pid;
  envelope.term = 7;
  envelope.payload = std::move(payload);
  return envelope;
}

// Payloads that a handler kept.
class Shelf {
 public:
  void Add(absl::StatusOr<KeptPayload> kept) {
    MutexLock lock(&mutex_);
    ASSERT_TRUE(kept.ok()) << kept.status();
    kept_.push_back(*std::move(kept));
    changed_.NotifyAll();
  }
  std::vector<KeptPayload> Wait(std::size_t count) {
    MutexLock lock(&mutex_);
    changed_.WaitFor(&mutex_, std::chrono::seconds(60), [&] {
      mutex_.AssertHeld();
      return kept_.size() >= count;
    });
    return kept_;
  }
  // The last share of each goes without the lock.
  void Clear() {
    std::vector<KeptPayload> gone;
    MutexLock lock(&mutex_);
    gone.swap(kept_);
    lock.Unlock();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<KeptPayload> kept_ CLUSTER_GUARDED_BY(mutex_);
};

class CopiesTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    config_.cluster = "copies-test";
    config_.transport = GetParam();
    config_.linger = absl::ZeroDuration();
  }
  void TearDown() override {
    for (auto& server : servers_)
      if (server != nullptr) server->Stop();
  }

  // Servers 1 and 2. With a shelf server 2 keeps all that it gets.
  void Start(Shelf* shelf = nullptr) {
    for (int id : {1, 2}) {
      config_.servers = {{id, FreshAddress(AddressKind::kIpv4)}};
      auto server = NewServer(id, config_);
      ASSERT_TRUE(server.ok()) << server.status();
      servers_.push_back(*std::move(server));
    }
    if (shelf != nullptr) {
      two().OnEnvelope([this, shelf](const EnvelopeView& envelope) {
        shelf->Add(two().Keep(envelope));
      });
    }
    for (auto& server : servers_) ASSERT_TRUE(server->Start().ok());
    ASSERT_TRUE(one().AddPeer(2, two().Address()).ok());
    ASSERT_TRUE(two().AddPeer(1, one().Address()).ok());
  }

  Server& one() { return *servers_[0]; }
  Server& two() { return *servers_[1]; }
  std::string Received(Server& server) {
    absl::StatusOr<Envelope> envelope = server.Receive(kPatience);
    EXPECT_TRUE(envelope.ok()) << envelope.status();
    if (!envelope.ok()) return "";
    EXPECT_EQ(envelope->term, 7u);
    return envelope->payload;
  }

  Config config_;
  std::vector<std::unique_ptr<Server>> servers_;
};

TEST_P(CopiesTest, AMovedPayloadArrives) {
  Start();
  for (const std::size_t size : {10u, 40000u, 1000000u, 5000000u}) {
    const std::string payload = Bytes(size);
    for (int pid : {1, 2}) {
      ASSERT_TRUE(one().Send(To(pid, payload), kPatience).ok());
      SendOptions options;
      options.timeout = kPatience;
      options.expires_after = kPatience;
      ASSERT_TRUE(one().SendWithId(To(pid, payload), options).ok());
      for (int i = 0; i < 2; ++i)
        EXPECT_EQ(Received(pid == 1 ? one() : two()), payload) << size;
    }
    ASSERT_TRUE(one().Send(To(kBroadcast, payload), kPatience).ok());
    EXPECT_EQ(Received(two()), payload) << size;
  }
  EXPECT_TRUE(one().Flush(kPatience).ok());
}

// That holds for each error.
TEST_P(CopiesTest, AfterAnErrorAMovedEnvelopeIsAsItWas) {
  config_.queue_bytes_max = 65536;
  config_.inbox_bytes_max = 65536;
  config_.payload_bytes_max = 1 << 20;
  Start();
  ASSERT_TRUE(one().AddPeer(3, FreshAddress(AddressKind::kIpv4)).ok());
  const std::string payload = Bytes(60000);
  const auto expect = [&](Envelope envelope, absl::StatusCode code) {
    const Envelope before = envelope;
    const absl::Status status = one().Send(std::move(envelope));
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_EQ(envelope, before);  // NOLINT(bugprone-use-after-move)
  };
  expect(To(9, payload), absl::StatusCode::kNotFound);
  expect(To(2, Bytes(config_.payload_bytes_max + 1)),
         absl::StatusCode::kInvalidArgument);
  for (int pid : {1, 3}) {
    ASSERT_TRUE(one().Send(To(pid, payload)).ok());
    expect(To(pid, payload), absl::StatusCode::kResourceExhausted);
  }
  SendOptions only_if_up;
  only_if_up.only_if_up = true;
  Envelope envelope = To(3, payload);
  EXPECT_EQ(one().Send(std::move(envelope), only_if_up).code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(envelope, To(3, payload));  // NOLINT(bugprone-use-after-move)
  one().Stop();
  for (int pid : {1, 2, 3})
    expect(To(pid, payload), absl::StatusCode::kCancelled);
}

TEST_P(CopiesTest, PiecesArriveAsOnePayload) {
  for (const char* codec : {"binary", "json"}) {
    config_.codec = codec;
    Start();
    const std::string large = Bytes(300000);
    const std::vector<absl::string_view> pieces = {"begin,", "", large, ",end"};
    const std::string joined = "begin," + large + ",end";
    SendOptions options;
    options.timeout = kPatience;
    for (int pid : {1, 2, kBroadcast}) {
      const Envelope envelope = To(pid, "ignored");
      ASSERT_TRUE(one().SendPieces(envelope, pieces, options).ok());
      EXPECT_EQ(Received(pid == 1 ? one() : two()), joined) << codec;
      ASSERT_TRUE(one().SendPieces(envelope, {"a", "b"}).ok());
      EXPECT_EQ(Received(pid == 1 ? one() : two()), "ab") << codec;
    }
    EXPECT_EQ(one().SendPieces(To(9, ""), pieces).status().code(),
              absl::StatusCode::kNotFound);
    TearDown();
    servers_.clear();
  }
}

TEST_P(CopiesTest, PiecesArriveWithBestEffort) {
  config_.delivery = Delivery::kBestEffort;
  Start();
  SendOptions options;
  options.timeout = kPatience;
  absl::Status status = absl::UnknownError("not sent yet");
  // Until it is connected.
  while (!status.ok())
    status = one().SendPieces(To(2, ""), {"a", "b", "c"}, options).status();
  EXPECT_EQ(Received(two()), "abc");
}

// A frame, a payload that was put together, and a small one.
TEST_P(CopiesTest, AKeptPayloadOutlivesItsHandlerAndItsServer) {
  Shelf shelf;
  Start(&shelf);
  const std::vector<std::string> payloads = {Bytes(100000), Bytes(5000000),
                                             "small", "tiny"};
  for (const std::string& payload : payloads)
    ASSERT_TRUE(one().Send(To(2, payload), kPatience).ok());
  ASSERT_TRUE(
      one().Flush(kPatience).ok());  // acknowledged, though they are kept
  std::vector<KeptPayload> kept = shelf.Wait(payloads.size());
  ASSERT_EQ(kept.size(), payloads.size());
  EXPECT_FALSE(kept[0].copied);
  EXPECT_FALSE(kept[1].copied);
  const ServerStats stats = two().Stats();
  EXPECT_GT(stats.kept_bytes, payloads[0].size() + payloads[1].size());
  EXPECT_LE(stats.kept_bytes, stats.reassembly_bytes);
  EXPECT_LE(stats.reassembly_bytes, stats.held_bytes);
  shelf.Clear();
  EXPECT_EQ(two().Stats().kept_bytes, stats.kept_bytes);
  kept.resize(1);
  EXPECT_LT(two().Stats().kept_bytes, 2 * payloads[0].size());
  kept.push_back(kept[0]);
  servers_.clear();
  for (const KeptPayload& one_of_two : kept)
    EXPECT_EQ(one_of_two.bytes, payloads[0]);
}

TEST_P(CopiesTest, WhatIsKeptGivesItsRoomBack) {
  Shelf shelf;
  Start(&shelf);
  ASSERT_TRUE(one().Send(To(2, Bytes(100000)), kPatience).ok());
  ASSERT_TRUE(one().Flush(kPatience).ok());
  shelf.Wait(1);
  EXPECT_GT(two().Stats().kept_bytes, 0u);
  shelf.Clear();
  EXPECT_EQ(two().Stats().kept_bytes, 0u);
  EXPECT_EQ(two().Stats().reassembly_bytes, 0u);
}

// With the least memory that the config allows, nothing is left to keep.
TEST_P(CopiesTest, BeyondItsBoundKeepingCopies) {
  config_.payload_bytes_max = 1 << 20;
  config_.memory_bytes_max = 10 << 20;
  Shelf shelf;
  Start(&shelf);
  const std::string payload = Bytes(100000);
  for (int i = 0; i < 100; ++i)
    ASSERT_TRUE(one().Send(To(2, payload), kPatience).ok());
  ASSERT_TRUE(one().Flush(kPatience).ok());
  std::vector<KeptPayload> kept = shelf.Wait(100);
  ASSERT_EQ(kept.size(), 100u);
  EXPECT_TRUE(kept.back().copied);
  for (const KeptPayload& one_of_all : kept)
    EXPECT_EQ(one_of_all.bytes, payload);
  EXPECT_LE(two().Stats().kept_bytes, config_.memory_bytes_max / 3);
  // Large payloads still find room.
  ASSERT_TRUE(one().Send(To(2, Bytes(1 << 20)), kPatience).ok());
  EXPECT_TRUE(one().Flush(kPatience).ok());
}

TEST_P(CopiesTest, ThePayloadOfAnotherCodecMayBeCopied) {
  config_.codec = "json";
  Shelf shelf;
  Start(&shelf);
  const std::string payload(100000, '\n');  // escaped
  ASSERT_TRUE(one().Send(To(2, payload), kPatience).ok());
  const std::vector<KeptPayload> kept = shelf.Wait(1);
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_TRUE(kept[0].copied);
  EXPECT_EQ(kept[0].bytes, payload);
}

TEST_P(CopiesTest, OnlyAHandlerKeeps) {
  Start();
  EXPECT_EQ(one().Keep(To(1, "x")).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

// These forms compiled before Send took what is moved, and have to compile still.
TEST_P(CopiesTest, NoFormOfSendIsAmbiguous) {
  Start();
  Envelope envelope = To(1, "x");
  const Envelope constant = envelope;
  const EnvelopeView view(constant);
  SendOptions options;
  options.timeout = kPatience;
  constexpr MsgType kType = MsgType::kAppendEntriesRequest;
  int sent = 0;
  const auto ok = [&sent](const absl::Status& status) {
    EXPECT_TRUE(status.ok()) << status;
    ++sent;
  };
  ok(one().Send(envelope));
  ok(one().Send(constant));
  ok(one().Send(view));
  ok(one().Send(EnvelopeView(constant)));
  ok(one().Send(To(1, "x")));
  ok(one().Send(To(1, "x"), kPatience));
  ok(one().Send(To(1, "x"), options));
  ok(one().Send(constant, kPatience));
  ok(one().Send(constant, options));
  ok(one().Send(view, kPatience));
  ok(one().Send(view, options));
  ok(one().Send({{}, 1, kType, 0, 0, false, "x", Lane::kNormal, 0, 0}));
  ok(one().Send({{}, 1, kType, 0, 0, false, "x", Lane::kNormal, 0, 0},
                kPatience));
  ok(one().Send({{}, 1, kType, 0, 0, false, "x", Lane::kNormal, 0, 0},
                options));
  ok(one()
         .SendWithId({{}, 1, kType, 0, 0, false, "x", Lane::kNormal, 0, 0})
         .status());
  ok(one()
         .SendWithId({{}, 1, kType, 0, 0, false, "x", Lane::kNormal, 0, 0},
                     options)
         .status());
  ok(one().SendWithId(constant).status());
  ok(one().SendWithId(view, options).status());
  ok(one().Send(std::move(envelope)));
  for (; sent > 0; --sent) EXPECT_TRUE(one().Receive(kPatience).ok());
}

INSTANTIATE_TEST_SUITE_P(Backends, CopiesTest,
                         testing::ValuesIn(AllTransports()), TransportName);

}  // namespace
}  // namespace cluster::internal
