// What Server promises, over the memory transport. The same over real sockets
// is in //tests.

#include "cluster/server.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "transport/memory/memory_transport.h"

namespace cluster {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kLong = absl::Seconds(30);

Config MakeConfig(int servers) {
  static int clusters = 0;
  Config config;
  config.cluster = absl::StrCat("server-test-", ++clusters);
  config.transport = "memory";
  for (int id = 1; id <= servers; ++id)
    config.servers.push_back({id, absl::StrCat("m", id)});
  return config;
}

std::unique_ptr<Server> Make(int id, const Config& config) {
  absl::StatusOr<std::unique_ptr<Server>> server =
      NewServer(id, config, NewMemoryTransport);
  EXPECT_TRUE(server.ok()) << server.status();
  return *std::move(server);
}

std::unique_ptr<Server> Started(int id, const Config& config) {
  std::unique_ptr<Server> server = Make(id, config);
  const absl::Status status = server->Start();
  EXPECT_TRUE(status.ok()) << status;
  return server;
}

Envelope To(int pid, std::string payload = "") {
  Envelope envelope;
  envelope.pid = pid;
  envelope.payload = std::move(payload);
  return envelope;
}

TEST(ServerTest, CarriesEveryField) {
  const Config config = MakeConfig(2);
  auto one = Started(1, config), two = Started(2, config);
  Envelope sent = To(2, "vote for me");
  sent.msg_type = MsgType::kRequestVoteRequest;
  sent.term = 1234567890123456789u;
  sent.voted = true;
  sent.lane = Lane::kUrgent;
  const absl::StatusOr<MessageId> id = one->SendWithId(sent);
  ASSERT_TRUE(id.ok()) << id.status();

  const absl::StatusOr<Envelope> received = two->Receive(kLong);
  ASSERT_TRUE(received.ok()) << received.status();
  sent.message_id = *id;
  sent.sender_id = 1;
  EXPECT_EQ(*received, sent);
}

TEST(ServerTest, IsFifoAndExactlyOnce) {
  const Config config = MakeConfig(2);
  auto one = Started(1, config), two = Started(2, config);
  constexpr int kCount = 20000;
  std::thread sender([&] {
    for (int i = 0; i < kCount; ++i) {
      ASSERT_TRUE(one->Send(To(2, absl::StrCat(i)), kLong).ok());
    }
  });
  for (int i = 0; i < kCount; ++i) {
    const absl::StatusOr<Envelope> received = two->Receive(kLong);
    ASSERT_TRUE(received.ok()) << received.status();
    ASSERT_EQ(received->payload, absl::StrCat(i));
  }
  sender.join();
  EXPECT_TRUE(one->Flush(kLong).ok());
  const ServerStats stats = one->Stats();
  EXPECT_EQ(stats.Peer(2)->accepted, static_cast<std::uint64_t>(kCount));
  EXPECT_EQ(stats.Peer(2)->acknowledged, static_cast<std::uint64_t>(kCount));
}

TEST(ServerTest, BroadcastReachesAllButOneselfWithOneId) {
  const Config config = MakeConfig(4);
  std::vector<std::unique_ptr<Server>> servers;
  for (int id = 1; id <= 4; ++id) servers.push_back(Started(id, config));
  const absl::StatusOr<MessageId> id =
      servers[0]->SendWithId(To(kBroadcast, "all"));
  ASSERT_TRUE(id.ok());
  for (int i = 1; i < 4; ++i) {
    const absl::StatusOr<Envelope> received =
        servers[static_cast<std::size_t>(i)]->Receive(kLong);
    ASSERT_TRUE(received.ok());
    EXPECT_EQ(received->message_id, *id);
    EXPECT_EQ(received->pid, kBroadcast);
  }
  EXPECT_EQ(servers[0]->Receive(absl::ZeroDuration()).status().code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST(ServerTest, MulticastReachesSomeOnceEachAndOneselfToo) {
  const Config config = MakeConfig(4);
  std::vector<std::unique_ptr<Server>> servers;
  for (int id = 1; id <= 4; ++id) servers.push_back(Started(id, config));
  const MulticastResult result =
      servers[0]->Multicast({1, 3, 3, 1}, To(0, "some"));
  ASSERT_TRUE(result.ok()) << result.status;
  ASSERT_EQ(result.peers.size(), 2u);
  for (std::size_t i : {0u, 2u}) {
    const absl::StatusOr<Envelope> received = servers[i]->Receive(kLong);
    ASSERT_TRUE(received.ok());
    EXPECT_EQ(received->message_id, result.message_id);
    EXPECT_EQ(received->pid, static_cast<int>(i) + 1);
    EXPECT_EQ(received->payload, "some");
  }
  const MulticastResult bad = servers[0]->Multicast({2, 9}, To(0, "none"));
  EXPECT_EQ(bad.status.code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(bad.peers.empty());
}

TEST(ServerTest, UnknownPidNamesTheKnownOnes) {
  auto one = Started(1, MakeConfig(3));
  const absl::Status status = one->Send(To(7));
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no server 7"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("1, 2, 3"));
}

TEST(ServerTest, DeliversToItselfInOrder) {
  auto one = Started(1, MakeConfig(2));
  ASSERT_TRUE(one->Send(To(1, "a")).ok());
  ASSERT_TRUE(one->Send(To(1, "b")).ok());
  EXPECT_EQ(one->Receive(kLong)->payload, "a");
  EXPECT_EQ(one->Receive(kLong)->payload, "b");
  EXPECT_EQ(one->Stats().self_sent, 2u);
}

TEST(ServerTest, OwnInboxIsBounded) {
  Config config = MakeConfig(2);
  config.inbox_bytes_max = 1 << 20;
  auto one = Started(1, config);
  absl::Status status;
  int sent = 0;
  while ((status = one->Send(To(1, std::string(10000, 'x')))).ok()) ++sent;
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_GT(sent, 50);
  EXPECT_LE(sent, 105);
}

TEST(ServerTest, OrderOfLifeIsChecked) {
  auto one = Make(1, MakeConfig(2));
  EXPECT_EQ(one->Send(To(2)).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(one->Receive(absl::ZeroDuration()).status().code(),
            absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(SendMessage(*one).ok());
  EXPECT_TRUE(one->Send(To(2)).ok());
  EXPECT_EQ(one->Receive(absl::ZeroDuration()).status().code(),
            absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(ReceiveMessage(*one).ok());
  EXPECT_EQ(one->Receive(absl::ZeroDuration()).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  one->Stop();
  EXPECT_EQ(one->Send(To(2)).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(one->Receive(kLong).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(one->Start().code(), absl::StatusCode::kCancelled);
}

TEST(ServerTest, AReceiverIsWokenByStop) {
  auto one = Started(1, MakeConfig(2));
  std::thread receiver([&] {
    EXPECT_EQ(one->Receive().status().code(), absl::StatusCode::kCancelled);
  });
  one->Stop();
  receiver.join();
}

TEST(ServerTest, AFullQueueRejectsAndWaitingEndsWithRoom) {
  Config config = MakeConfig(2);
  config.queue_bytes_max = 1 << 20;
  config.linger = absl::ZeroDuration();
  auto one = Started(1, config);
  absl::Status status;
  while ((status = one->Send(To(2, std::string(50000, 'x')))).ok()) {
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(
      one->Send(To(2, std::string(50000, 'x')), absl::Milliseconds(1)).code(),
      absl::StatusCode::kDeadlineExceeded);
  std::thread sender([&] {
    EXPECT_TRUE(one->Send(To(2, std::string(50000, 'y')), kLong).ok());
  });
  auto two = Started(2, config);
  while (two->Receive(kLong)->payload[0] != 'y') {
  }
  sender.join();
}

TEST(ServerTest, TooLargeAPayloadIsRefused) {
  Config config = MakeConfig(2);
  config.payload_bytes_max = 100000;
  auto one = Started(1, config);
  EXPECT_EQ(one->Send(To(2, std::string(100001, 'x'))).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(one->Send(To(1, std::string(100001, 'x'))).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(one->Send(To(2, std::string(100000, 'x'))).ok());
}

TEST(ServerTest, APayloadLargerThanTheWindowArrives) {
  Config config = MakeConfig(2);
  config.window_bytes = 1 << 20;
  auto one = Started(1, config), two = Started(2, config);
  std::string payload(20 << 20, '\0');
  for (std::size_t i = 0; i < payload.size(); ++i)
    payload[i] = static_cast<char>(i * 7 + i / 256);
  ASSERT_TRUE(one->Send(To(2, payload)).ok());
  ASSERT_TRUE(one->Send(To(2, "after"), kLong).ok());
  const absl::StatusOr<Envelope> received = two->Receive(kLong);
  ASSERT_TRUE(received.ok()) << received.status();
  EXPECT_TRUE(received->payload == payload);
  EXPECT_EQ(two->Receive(kLong)->payload, "after");
}

TEST(ServerTest, ReceiveBatchTakesWhatIsThere) {
  const Config config = MakeConfig(2);
  auto one = Started(1, config), two = Started(2, config);
  for (int i = 0; i < 100; ++i)
    ASSERT_TRUE(one->Send(To(2, absl::StrCat(i))).ok());
  std::vector<Envelope> batch;
  while (batch.size() < 100) {
    ASSERT_TRUE(
        two->ReceiveBatch(&batch, 100 - static_cast<int>(batch.size()), kLong)
            .ok());
  }
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(batch[static_cast<std::size_t>(i)].payload, absl::StrCat(i));
  EXPECT_EQ(two->ReceiveBatch(&batch, 0).code(),
            absl::StatusCode::kInvalidArgument);
}

// Records what handlers are told, in one order.
class Recorder {
 public:
  void Attach(Server* server) {
    server->OnEnvelope(
        [this](const EnvelopeView& view) { Add(std::string(view.payload)); });
    server->OnPeerEvent([this](const PeerEvent& event) {
      Add(absl::StrCat("<", PeerEventTypeName(event.type), " ", event.peer,
                       ">"));
    });
  }
  void Add(std::string text) {
    std::lock_guard<std::mutex> lock(mutex_);
    texts_.push_back(std::move(text));
    changed_.notify_all();
  }
  // Waits until the text is there, and returns all up to it.
  std::vector<std::string> WaitFor(const std::string& text) {
    std::unique_lock<std::mutex> lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(
        lock, std::chrono::seconds(30),
        [&] {
          return std::find(texts_.begin(), texts_.end(), text) != texts_.end();
        }))
        << "no \"" << text << "\"";
    return texts_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> texts_;
};

TEST(ServerTest, HandlersSeeUpBeforeTheFirstEnvelope) {
  Recorder recorder;  // outlives the servers that call it
  const Config config = MakeConfig(2);
  auto one = Started(1, config);
  auto two = Make(2, config);
  recorder.Attach(two.get());
  ASSERT_TRUE(one->Send(To(2, "hello")).ok());
  ASSERT_TRUE(two->Start().ok());
  const std::vector<std::string> texts = recorder.WaitFor("hello");
  EXPECT_EQ(texts.front(), "<up 1>");
}

TEST(ServerTest, HandlersMayNotWait) {
  const Config config = MakeConfig(2);
  auto one = Started(1, config);
  auto two = Make(2, config);
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
  two->OnEnvelope([&](const EnvelopeView&) {
    EXPECT_EQ(two->Receive(kLong).status().code(),
              absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(two->Flush(kLong).code(), absl::StatusCode::kFailedPrecondition);
    two->Stop();
    // Fills the queue and is not made to wait.
    absl::Status status;
    while ((status = two->Send(To(1, std::string(60000, 'x')), kLong)).ok()) {
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    std::lock_guard<std::mutex> lock(mutex);
    done = true;
    changed.notify_all();
  });
  ASSERT_TRUE(two->Start().ok());
  ASSERT_TRUE(one->Send(To(2, "go")).ok());
  std::unique_lock<std::mutex> lock(mutex);
  EXPECT_TRUE(
      changed.wait_for(lock, std::chrono::seconds(30), [&] { return done; }));
  lock.unlock();
  EXPECT_EQ(two->Receive(kLong).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(ServerTest, PingPongThroughHandlers) {
  Recorder recorder;  // outlives the servers that call it
  const Config config = MakeConfig(2);
  auto one = Make(1, config), two = Make(2, config);
  two->OnEnvelope([&](const EnvelopeView& view) {
    ASSERT_TRUE(two->Send(To(view.sender_id, std::string(view.payload))).ok());
  });
  one->OnEnvelope([&](const EnvelopeView& view) {
    const int count = std::stoi(std::string(view.payload));
    if (count == 2000) {
      recorder.Add("done");
    } else {
      ASSERT_TRUE(one->Send(To(2, absl::StrCat(count + 1))).ok());
    }
  });
  ASSERT_TRUE(one->Start().ok());
  ASSERT_TRUE(two->Start().ok());
  ASSERT_TRUE(one->Send(To(2, "0")).ok());
  recorder.WaitFor("done");
}

TEST(ServerTest, ARestartedPeerIsReportedAndGetsWhatItMissed) {
  Recorder recorder;  // outlives the servers that call it
  Config config = MakeConfig(2);
  config.linger = absl::ZeroDuration();
  auto one = Make(1, config);
  recorder.Attach(one.get());
  ASSERT_TRUE(one->Start().ok());
  auto two = Started(2, config);
  ASSERT_TRUE(one->Send(To(2, "first")).ok());
  EXPECT_EQ(two->Receive(kLong)->payload, "first");
  ASSERT_TRUE(one->Flush(kLong).ok());
  ASSERT_TRUE(one->Send(To(2, "second")).ok());
  two.reset();  // whether or not it arrived, it was not taken
  two = Started(2, config);
  EXPECT_EQ(two->Receive(kLong)->payload, "second");
  recorder.WaitFor("<restarted 2>");
}

TEST(ServerTest, PeersComeAndGo) {
  Recorder recorder;  // outlives the servers that call it
  Config config = MakeConfig(1);
  auto one = Make(1, config);
  recorder.Attach(one.get());
  ASSERT_TRUE(one->Start().ok());
  EXPECT_EQ(one->Send(To(2)).code(), absl::StatusCode::kNotFound);

  Config both = config;
  both.servers.push_back({2, "m2"});
  auto two = Started(2, both);
  ASSERT_TRUE(one->AddPeer(2, "m2").ok());
  EXPECT_EQ(one->AddPeer(2, "m2").code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(one->Peers(), std::vector<int>{2});
  ASSERT_TRUE(one->Send(To(2, "hello")).ok());
  EXPECT_EQ(two->Receive(kLong)->payload, "hello");

  ASSERT_TRUE(one->RemovePeer(2).ok());
  EXPECT_EQ(one->RemovePeer(2).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(one->Send(To(2)).code(), absl::StatusCode::kNotFound);
  recorder.WaitFor("<removed 2>");

  ASSERT_TRUE(one->AddPeer(2, "m2").ok());
  ASSERT_TRUE(one->Send(To(2, "again")).ok());
  EXPECT_EQ(two->Receive(kLong)->payload, "again");
}

TEST(ServerTest, StopGetsOutWhatWasAcceptedBeforeTheFirstSession) {
  Config config = MakeConfig(2);
  config.linger = kLong;
  auto two = Started(2, config);
  auto one = Started(1, config);
  ASSERT_TRUE(one->Send(To(2, "last words")).ok());
  one->Stop();
  EXPECT_EQ(two->Receive(kLong)->payload, "last words");
}

TEST(ServerTest, MessageIdsDifferAcrossLives) {
  const Config config = MakeConfig(2);
  auto one = Started(1, config);
  const MessageId first = *one->SendWithId(To(1));
  const MessageId second = *one->SendWithId(To(1));
  EXPECT_EQ(first.incarnation, second.incarnation);
  EXPECT_NE(first.sequence, second.sequence);
  one.reset();
  one = Started(1, config);
  EXPECT_NE(one->SendWithId(To(1))->incarnation, first.incarnation);
}

TEST(ServerTest, BestEffortCarriesEnvelopesAndHasNoFlush) {
  Config config = MakeConfig(2);
  config.delivery = Delivery::kBestEffort;
  auto one = Started(1, config), two = Started(2, config);
  ASSERT_TRUE(one->Send(To(2, "plain")).ok());
  const absl::StatusOr<Envelope> received = two->Receive(kLong);
  ASSERT_TRUE(received.ok()) << received.status();
  EXPECT_EQ(received->payload, "plain");
  EXPECT_EQ(received->sender_id, 1);
  EXPECT_EQ(one->Flush(kLong).code(), absl::StatusCode::kFailedPrecondition);
}

TEST(NewServerTest, SaysWhatIsWrong) {
  const Config config = MakeConfig(2);
  EXPECT_EQ(NewServer(9, config, NewMemoryTransport).status().code(),
            absl::StatusCode::kNotFound);
  Config bad = config;
  bad.codec = "binray";
  const absl::Status status = NewServer(1, bad, NewMemoryTransport).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("binary, json"));
}

TEST(ServerTest, AnAddressInUseIsSaid) {
  const Config config = MakeConfig(2);
  auto one = Started(1, config);
  auto again = Make(1, config);
  EXPECT_EQ(again->Start().code(), absl::StatusCode::kAlreadyExists);
}

}  // namespace
}  // namespace cluster
