// The lives of a Server and of its peers, over the memory transport.
// //tests:lifecycle_test tests them at full load and over real sockets.

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cluster/server.h"
#include "cluster/testing/test_server.h"
#include "cluster/transport/memory/memory_transport.h"
#include "cluster/transport/testing/forwarding_transport.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ServerLifecycleTest, OrderOfLifeIsChecked) {
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

// Records the addresses of Start and Connect, and dials only if `may_dial`.
class Directed final : public ForwardingTransport {
 public:
  Directed(std::unique_ptr<Transport> inner, bool may_dial,
           std::vector<std::string>* told)
      : ForwardingTransport(std::move(inner)),
        may_dial_(may_dial),
        told_(told) {}
  ~Directed() override { Stop(absl::ZeroDuration()); }
  absl::Status Start(TransportHandler* handler,
                     const std::string& local_address) override {
    told_->push_back("listen on " + local_address);
    return ForwardingTransport::Start(handler, local_address);
  }
  absl::Status Connect(int peer, const std::string& address,
                       std::uint64_t generation) override {
    told_->push_back("dial " + address);
    if (!may_dial_) return absl::InvalidArgumentError("there is no such place");
    return ForwardingTransport::Connect(peer, address, generation);
  }

 private:
  const bool may_dial_;
  std::vector<std::string>* const told_;
};

std::unique_ptr<Server> MakeDirected(const Config& config, bool may_dial,
                                     std::vector<std::string>* told) {
  auto server =
      NewServer(1, config,
                [=](const TransportConfig& transport_config)
                    -> absl::StatusOr<std::unique_ptr<Transport>> {
                  return std::make_unique<Directed>(
                      *NewMemoryTransport(transport_config), may_dial, told);
                });
  EXPECT_TRUE(server.ok()) << server.status();
  return *std::move(server);
}

TEST(ServerLifecycleTest, ListensElsewhereThanTheOthersDial) {
  Config config = MakeConfig(2);
  config.transport = "directed";
  config.servers[0].listen = "inside";
  config.servers[1].listen = "not mine";
  std::vector<std::string> told;
  auto one = MakeDirected(config, true, &told);
  EXPECT_EQ(one->Address(), "inside");
  ASSERT_TRUE(one->Start().ok());
  EXPECT_THAT(told, ElementsAre("listen on inside", "dial m2"));
}

TEST(ServerLifecycleTest, AStartThatFailsToDialStopsTheServer) {
  std::vector<std::string> told;
  auto one = MakeDirected(MakeConfig(2), false, &told);
  const absl::Status status = one->Start();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("server 2: there is no such place"));
  EXPECT_EQ(one->Start().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(one->Send(To(2)).code(), absl::StatusCode::kCancelled);
}

TEST(ServerLifecycleTest, AddPeerLooksAtTheAddressBeforeStartToo) {
  Config config = MakeConfig(1);
  config.transport = "zmq";  // which checks addresses
  config.servers[0].address = "127.0.0.1:0";
  auto one = Make(1, config);
  EXPECT_EQ(one->AddPeer(2, "nowhere").code(),
            absl::StatusCode::kInvalidArgument);
  const absl::Status status = one->AddPeer(2, "*:10002");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("server 2: address \"*:10002\": every interface"));
  EXPECT_TRUE(one->AddPeer(2, "127.0.0.1:10002").ok());
}

TEST(ServerLifecycleTest, AReceiverIsWokenByStop) {
  auto one = Started(1, MakeConfig(2));
  std::thread receiver([&] {
    EXPECT_EQ(one->Receive().status().code(), absl::StatusCode::kCancelled);
  });
  one->Stop();
  receiver.join();
}

TEST(ServerLifecycleTest, ARestartedPeerIsReportedAndGetsWhatItMissed) {
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
  two.reset();  // it may have arrived, but the application did not take it
  two = Started(2, config);
  EXPECT_EQ(two->Receive(kLong)->payload, "second");
  recorder.WaitFor("<restarted 2>");
}

TEST(ServerLifecycleTest, PeersComeAndGo) {
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

TEST(ServerLifecycleTest, StopGetsOutWhatWasAcceptedBeforeTheFirstSession) {
  Config config = MakeConfig(2);
  config.linger = kLong;
  auto two = Started(2, config);
  auto one = Started(1, config);
  ASSERT_TRUE(one->Send(To(2, "last words")).ok());
  one->Stop();
  EXPECT_EQ(two->Receive(kLong)->payload, "last words");
}

TEST(ServerLifecycleTest, AnAddressInUseIsSaid) {
  const Config config = MakeConfig(2);
  auto one = Started(1, config);
  auto again = Make(1, config);
  EXPECT_EQ(again->Start().code(), absl::StatusCode::kAlreadyExists);
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

}  // namespace
}  // namespace cluster::internal
