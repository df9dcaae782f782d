// Fails the allocations in servers' calls, one after the other. A call accepts
// its envelope or refuses it, and accepted envelopes arrive once there is
// memory again.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cluster/base/mutex.h"
#include "cluster/base/testing/failing_allocations.h"
#include "gtest/gtest.h"
#include "tests/harness/accounts.h"
#include "tests/harness/test_cluster.h"
#include "tests/harness/transports.h"

namespace cluster::internal {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(60);

// Records the calls of each server's handler, in order.
class Arrived {
 public:
  void Add(int receiver, const EnvelopeView& envelope) {
    MutexLock lock(&mutex_);
    payloads_[{receiver, envelope.lane}].emplace_back(envelope.payload);
    ++count_[receiver];
    changed_.NotifyAll();
  }
  bool WaitForCount(int receiver, std::size_t count) {
    MutexLock lock(&mutex_);
    return changed_.WaitFor(&mutex_, absl::ToChronoSeconds(kPatience),
                            [&] { return count_[receiver] >= count; });
  }
  std::vector<std::string> Of(int receiver, Lane lane) {
    MutexLock lock(&mutex_);
    return payloads_[{receiver, lane}];
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::map<std::pair<int, Lane>, std::vector<std::string>> payloads_;
  std::map<int, std::size_t> count_;
};

// Envelopes to send one after the other, and the answers. Sending them
// allocates only inside the library.
class Burst {
 public:
  void Add(int pid, std::size_t bytes, Lane lane = Lane::kNormal) {
    Sending sending;
    sending.envelope.pid = pid;
    sending.envelope.lane = lane;
    sending.envelope.payload = absl::StrCat(sendings_.size(), ".");
    sending.envelope.payload.resize(
        std::max(bytes, sending.envelope.payload.size()), 'x');
    sendings_.push_back(std::move(sending));
  }
  // Adds a multicast to 1, 2 and 3.
  void AddMulticast(std::size_t bytes) {
    Add(2, bytes);
    sendings_.back().multicast = true;
  }

  void Send(Server& server) {
    static constexpr int kPids[] = {1, 2, 3};
    for (Sending& sending : sendings_) {
      if (!sending.multicast) {
        sending.answer = server.Send(sending.envelope).code();
        continue;
      }
      const MulticastResult result = server.Multicast(kPids, sending.envelope);
      sending.answer = result.status.code();
      for (const auto& [pid, status] : result.peers)
        if (status.ok()) sending.taken[pid] = true;
    }
  }

  // Each answer is OK, or says that memory was short.
  void ExpectOkOrNoMemory() const {
    for (const Sending& sending : sendings_) {
      EXPECT_TRUE(sending.answer == absl::StatusCode::kOk ||
                  sending.answer == absl::StatusCode::kResourceExhausted)
          << absl::StatusCodeToString(sending.answer);
    }
  }

  // Checks that the lane brought `receiver` what was accepted for it, in order.
  // A broadcast that some peers did not accept may have reached it too.
  void ExpectArrived(int receiver, Lane lane,
                     const std::vector<std::string>& arrived) const {
    auto next = arrived.begin();
    for (const Sending& sending : sendings_) {
      if (sending.envelope.lane != lane) continue;
      const bool here =
          next != arrived.end() && *next == sending.envelope.payload;
      if (!MayHave(sending, receiver)) continue;
      const bool ok = sending.answer == absl::StatusCode::kOk;
      if (ok || sending.multicast) {
        EXPECT_TRUE(here) << sending.envelope.payload.substr(0, 20);
      }
      if (here) ++next;
    }
    EXPECT_TRUE(next == arrived.end()) << "beyond: " << next->substr(0, 20);
  }

  // How many envelopes `receiver` must get.
  std::size_t Accepted(int receiver) const {
    return static_cast<std::size_t>(std::count_if(
        sendings_.begin(), sendings_.end(), [&](const Sending& sending) {
          return MayHave(sending, receiver) &&
                 (sending.multicast || sending.answer == absl::StatusCode::kOk);
        }));
  }

 private:
  struct Sending {
    Envelope envelope;
    bool multicast = false;
    absl::StatusCode answer = absl::StatusCode::kUnknown;
    bool taken[4] = {};  // of a multicast, by recipient
  };

  static bool MayHave(const Sending& sending, int receiver) {
    if (sending.multicast) return sending.taken[receiver];
    return sending.envelope.pid == kBroadcast
               ? receiver != 1
               : sending.envelope.pid == receiver;
  }

  std::vector<Sending> sendings_;
};

struct Case {
  std::string name;
  std::function<void(Burst*)> fill;
};

class AllocationTest
    : public testing::TestWithParam<std::tuple<const char*, Case>> {
 protected:
  static ClusterSpec Spec(Arrived* arrived) {
    ClusterSpec spec;
    spec.config.transport = std::get<0>(GetParam());
    spec.config.frame_bytes = 4096;  // batches fill, and payloads are cut
    spec.ids = FirstIds(3);
    spec.consumption = [](int) { return Consumption::kHandler; };
    spec.on_envelope = [arrived](int receiver, const EnvelopeView& envelope) {
      if (!envelope.payload.empty()) arrived->Add(receiver, envelope);
    };
    return spec;
  }

  // Fails the n-th allocation. True if there was one. With `warm`, there are a
  // session and free buffers before.
  static bool Try(int nth, FailingAllocations::Which which, bool warm) {
    Arrived arrived;
    TestCluster cluster(Spec(&arrived));
    if (!cluster.Start()) return false;
    Server& server = cluster.server(1);
    if (warm) Warm(server);
    Burst burst;
    std::get<1>(GetParam()).fill(&burst);
    bool failed = false;
    {
      const FailingAllocations failing(nth, which);
      burst.Send(server);
      failed = failing.failed();
    }
    burst.ExpectOkOrNoMemory();
    const absl::Status flushed = server.Flush(kPatience);
    EXPECT_TRUE(flushed.ok()) << flushed;
    EXPECT_TRUE(arrived.WaitForCount(1, burst.Accepted(1)));
    for (int receiver : {1, 2, 3}) {
      for (Lane lane : {Lane::kUrgent, Lane::kNormal, Lane::kBulk})
        burst.ExpectArrived(receiver, lane, arrived.Of(receiver, lane));
    }
    ExpectSettled(server.Stats());
    return failed;
  }

  static void Warm(Server& server) {
    Envelope envelope;
    envelope.pid = kBroadcast;
    ASSERT_TRUE(server.Send(envelope).ok());
    ASSERT_TRUE(server.Flush(kPatience).ok());
  }

  static void ExpectSettled(const ServerStats& stats) {
    for (const PeerStats& peer : stats.peers) {
      EXPECT_EQ(peer.accepted, peer.acknowledged);
      EXPECT_EQ(peer.queued, 0u);
      EXPECT_EQ(peer.in_flight, 0u);
    }
  }
};

TEST_P(AllocationTest, WhatIsAcceptedArrivesOnceAndInOrder) {
  for (FailingAllocations::Which which :
       {FailingAllocations::kOne, FailingAllocations::kRest}) {
    bool failed = true;
    int nth = 1;
    for (; failed && !HasFailure(); ++nth) {
      SCOPED_TRACE(absl::StrCat("allocation ", nth));
      failed = Try(nth, which, which == FailingAllocations::kOne);
    }
    EXPECT_GT(nth, 2) << "no allocation was tried";
  }
}

// Two servers, to fail allocations in their calls; 2 has no handler.
class CallTest : public testing::TestWithParam<const char*> {
 protected:
  static constexpr int kEnvelopes = 12;

  void SetUp() override {
    for (int id : {1, 2}) {
      Config config;
      config.transport = GetParam();
      config.cluster = "calls";
      config.servers = {{1, Fresh(1)}, {2, Fresh(2)}};
      auto server = NewServer(id, config);
      ASSERT_TRUE(server.ok()) << server.status();
      ASSERT_TRUE((*server)->Start().ok());
      servers_[id - 1] = *std::move(server);
    }
    for (int id : {1, 2}) {
      ASSERT_TRUE(server(id).AddPeer(3 - id, server(3 - id).Address()).ok());
    }
  }

  Server& server(int id) { return *servers_[id - 1]; }

  // Sends from 1 to 2.
  void Send(int envelopes) {
    for (int i = 0; i < envelopes; ++i) {
      Envelope envelope;
      envelope.pid = 2;
      envelope.payload = Payload(sent_++);
      ASSERT_TRUE(server(1).Send(envelope).ok());
    }
  }
  static std::string Payload(int number) {
    return absl::StrCat(std::string(100, 'x'), number);
  }

  // Calls `call` and fails its n-th allocation. True if there was one.
  template <typename Call>
  static bool Without(int nth, Call call) {
    const FailingAllocations failing(nth, FailingAllocations::kRest);
    call();
    return failing.failed();
  }

 private:
  static std::string Fresh(int id) {
    return GetParam() == std::string("memory") ? absl::StrCat("calls", id, ":0")
                                               : "127.0.0.1:0";
  }

  int sent_ = 0;
  std::unique_ptr<Server> servers_[2];
};

TEST_P(CallTest, ReceiveLosesNoEnvelopeThatItHasNoMemoryFor) {
  Send(kEnvelopes);
  int failures = 0;
  for (int i = 0; i < kEnvelopes; ++i) {
    absl::StatusOr<Envelope> envelope = absl::UnknownError("");
    const bool failed =
        Without(1, [&] { envelope = server(2).Receive(kPatience); });
    if (failed) {
      ++failures;
      ASSERT_EQ(envelope.status().code(), absl::StatusCode::kResourceExhausted);
      envelope = server(2).Receive(kPatience);
    }
    ASSERT_TRUE(envelope.ok()) << envelope.status();
    EXPECT_EQ(envelope->payload, Payload(i));
  }
  EXPECT_GT(failures, 0);
  EXPECT_TRUE(server(1).Flush(kPatience).ok());
  EXPECT_EQ(server(2).Stats().delivered,
            static_cast<std::uint64_t>(kEnvelopes));
}

TEST_P(CallTest, ReceiveBatchLosesNoEnvelopeThatItHasNoMemoryFor) {
  Send(kEnvelopes);
  std::vector<Envelope> kept(1);
  kept[0].payload = "kept";
  for (int i = 0; i < kEnvelopes;) {
    std::vector<Envelope> batch = kept;
    batch[0].payload.shrink_to_fit();
    absl::Status status;
    // Fails one of the first three allocations.
    const bool failed = Without(1 + i % 3, [&] {
      status = server(2).ReceiveBatch(&batch, kEnvelopes, kPatience);
    });
    if (!status.ok()) {
      ASSERT_TRUE(failed);
      ASSERT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
      EXPECT_EQ(batch, kept);
      ASSERT_TRUE(server(2).ReceiveBatch(&batch, 1, kPatience).ok());
    }
    for (const Envelope& envelope : batch)
      EXPECT_EQ(envelope.payload, Payload(i++));
  }
  EXPECT_TRUE(server(1).Flush(kPatience).ok());
}

// The thread sanitizer does not look at memory that libzmq itself takes from the
// C library. This test's operator new is between the two. So the sanitizer would
// watch that memory, and report each use by libzmq's threads.
std::vector<const char*> WatchedTransports() {
  std::vector<const char*> names = AllTransports();
#ifdef __SANITIZE_THREAD__
  names.erase(std::remove(names.begin(), names.end(), std::string("zmq")),
              names.end());
#endif
  return names;
}

INSTANTIATE_TEST_SUITE_P(All, CallTest, testing::ValuesIn(WatchedTransports()));

void FillSmall(Burst* burst) {
  for (int i = 0; i < 100; ++i) burst->Add(2, 100);
}

void FillSizes(Burst* burst) {
  for (int i = 0; i < 3; ++i) {
    burst->Add(2, 10);
    burst->Add(2, 3000);  // a frame of its own
    burst->Add(2, 10, Lane::kUrgent);
    burst->Add(2, 600 << 10, Lane::kBulk);  // chunks
    burst->Add(2, 1000);
    burst->Add(2, 1000);
  }
}

void FillBroadcast(Burst* burst) {
  for (int i = 0; i < 100; ++i) burst->Add(kBroadcast, 100);
  burst->Add(kBroadcast, 3000);
  burst->Add(kBroadcast, 200 << 10);
  for (int i = 0; i < 20; ++i) burst->Add(kBroadcast, 100);
  burst->Add(3, 10);
}

void FillMulticast(Burst* burst) {
  for (int i = 0; i < 2; ++i) {
    burst->AddMulticast(100);
    burst->AddMulticast(3000);
  }
}

void FillOwn(Burst* burst) {
  for (int i = 0; i < 20; ++i) burst->Add(1, 100);
}

INSTANTIATE_TEST_SUITE_P(
    All, AllocationTest,
    testing::Combine(testing::ValuesIn(WatchedTransports()),
                     testing::Values(Case{"Small", FillSmall},
                                     Case{"Sizes", FillSizes},
                                     Case{"Broadcast", FillBroadcast},
                                     Case{"Multicast", FillMulticast},
                                     Case{"Own", FillOwn})),
    [](const testing::TestParamInfo<AllocationTest::ParamType>& info) {
      return absl::StrCat(std::get<0>(info.param),
                          std::get<1>(info.param).name);
    });

}  // namespace
}  // namespace cluster::internal
