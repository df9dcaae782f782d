// Backends on byte streams have this in common, beside the contract: options,
// files, descriptors and threads.

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cluster/base/descriptors.h"
#include "cluster/base/testing/no_more_threads.h"
#include "cluster/transport/contract/contract_suite.h"
#include "cluster/transport/contract/recording_handler.h"
#include "gtest/gtest.h"
#include "tests/streams/backend.h"

namespace cluster::internal {
namespace streams {
namespace {

absl::Status OptionStatus(const std::string& key, OptionValue value) {
  TransportConfig config;
  config.options.origin = "configs/a.json:7: $.backend";
  config.options.values[key] = std::move(value);
  return NewBackend(config).status();
}

TEST(TransportOptionsTest, KnownOptionsAreTaken) {
  EXPECT_TRUE(OptionStatus("send_queue_bytes", std::int64_t{65536}).ok());
  EXPECT_TRUE(OptionStatus("read_buffer_bytes", std::int64_t{65536}).ok());
}

TEST(TransportOptionsTest, OtherOptionsAndValuesAreRefused) {
  for (const auto& status :
       {OptionStatus("send_queue_byte", std::int64_t{65536}),
        OptionStatus("send_queue_bytes", std::int64_t{1}),
        OptionStatus("send_queue_bytes", std::string("1 MiB")),
        OptionStatus("read_buffer_bytes", std::int64_t{1} << 40)}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(absl::StrContains(status.message(), "configs/a.json:7"))
        << status;
  }
}

TEST(TransportOptionsTest, FramesAreNoLongerThanALengthCanSay) {
  TransportConfig config;
  config.frame_bytes_max = kFrameBytesLimit;
  EXPECT_TRUE(NewBackend(config).ok());
  config.frame_bytes_max = std::size_t{1} << 31;
  const absl::Status status = NewBackend(config).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "2147483647")) << status;
}

// Once there are threads, it starts.
TEST(TransportOptionsTest, WithoutAThreadItDoesNotStart) {
  const auto transport = NewBackend(TransportConfig());
  ASSERT_TRUE(transport.ok()) << transport.status();
  RecordingHandler handler;
  {
    const NoMoreThreads none;
    EXPECT_EQ((*transport)->Start(&handler, "127.0.0.1:0").code(),
              absl::StatusCode::kResourceExhausted);
  }
  EXPECT_TRUE((*transport)->Start(&handler, "127.0.0.1:0").ok());
}

class TransportTest : public testing::Test {
 protected:
  std::unique_ptr<Node> NewNode(std::int64_t send_queue_bytes = 1 << 20) {
    auto node = std::make_unique<Node>();
    TransportConfig config;
    config.options.values["send_queue_bytes"] = send_queue_bytes;
    auto transport = NewBackend(config);
    EXPECT_TRUE(transport.ok()) << transport.status();
    node->transport = *std::move(transport);
    return node;
  }

  std::unique_ptr<Node> StartNode(const std::string& address,
                                  std::int64_t send_queue_bytes = 1 << 20) {
    auto node = NewNode(send_queue_bytes);
    const absl::Status status = node->transport->Start(&node->handler, address);
    EXPECT_TRUE(status.ok()) << status;
    return node;
  }

  void ExpectDelivery(Node& from, int peer, Node& to) {
    const std::string text = absl::StrCat("delivery ", ++deliveries_);
    ASSERT_EQ(from.Send(peer, text), SendResult::kSent);
    EXPECT_TRUE(to.handler.WaitFor(
        [&](const Recorded& r) { return r.HasFrame(text); }));
  }

  int deliveries_ = 0;
};

TEST_F(TransportTest, ForgottenTransportsLeaveNoDescriptors) {
  constexpr int kServers = 40;
  constexpr int kNeighbours = 20;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  StartNode("127.0.0.1:0").reset();  // opens what all share
  const std::size_t before = DescriptorsInUse();
  std::vector<std::unique_ptr<Node>> nodes;
  for (int i = 0; i < kServers; ++i) nodes.push_back(StartNode("127.0.0.1:0"));
  for (int from = 0; from < kServers; ++from) {
    for (int step = 1; step <= kNeighbours; ++step) {
      const int to = (from + step) % kServers;
      ASSERT_TRUE(
          nodes[from]->Connect(to, nodes[to]->transport->Address()).ok());
    }
  }
  for (int from = 0; from < kServers; ++from) {
    for (int step = 1; step <= kNeighbours; ++step) {
      const int to = (from + step) % kServers;
      ASSERT_TRUE(nodes[from]->handler.WaitForConnected(to));
    }
  }
  EXPECT_GT(DescriptorsInUse(), before + kServers * kNeighbours);
  for (auto& node : nodes) node->transport->Stop(absl::ZeroDuration());
  nodes.clear();
  EXPECT_LE(DescriptorsInUse(), before);
}

TEST_F(TransportTest, TheQueueTakesWhatItsOptionSays) {
  auto node = StartNode("127.0.0.1:0", 100000);
  // Nobody listens at a port that a stopped node had.
  std::string nobody;
  {
    auto stopped = StartNode(FreshIpv4Address());
    nobody = stopped->transport->Address();
  }
  ASSERT_TRUE(node->Connect(2, nobody).ok());
  EXPECT_EQ(node->Fill(2, 10000, 1000), 10u);
  ASSERT_TRUE(node->Connect(3, nobody).ok());
  EXPECT_EQ(node->Fill(3, 1000000, 1000), 1u);
}

TEST_F(TransportTest, WhatArrivesLiesInTheBuffersThatItWasGiven) {
  TransportConfig config;
  {
    Node receiver;
    receiver.transport = *NewBackend(config);
    ASSERT_TRUE(
        receiver.transport->Start(&receiver.handler, "127.0.0.1:0").ok());
    auto sender = StartNode("127.0.0.1:0");
    ASSERT_TRUE(sender->Connect(2, receiver.transport->Address()).ok());
    ExpectDelivery(*sender, 2, receiver);
  }
  EXPECT_GT(config.buffers->free_bytes(), 0u);
}

TEST_F(TransportTest, NamesAreDialled) {
  auto receiver = StartNode("127.0.0.1:0");
  auto sender = StartNode("127.0.0.1:0");
  const std::string address = receiver->transport->Address();
  const std::string port = address.substr(address.rfind(':'));
  ASSERT_TRUE(sender->Connect(2, "localhost" + port).ok());
  ExpectDelivery(*sender, 2, *receiver);
}

TEST_F(TransportTest, EveryInterfaceIsListenedOn) {
  auto receiver = StartNode("*:0");
  auto sender = StartNode("127.0.0.1:0");
  const std::string address = receiver->transport->Address();
  const std::string port = address.substr(address.rfind(':'));
  EXPECT_NE(port, ":0");
  ASSERT_TRUE(sender->Connect(2, "127.0.0.1" + port).ok());
  ExpectDelivery(*sender, 2, *receiver);
}

TEST_F(TransportTest, WhatCannotBeDialledIsRefused) {
  auto node = StartNode("127.0.0.1:0");
  for (const char* address : {"127.0.0.1:0", "*:80"}) {
    EXPECT_EQ(node->Connect(2, address).code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(TransportTest, ASocketFileOfADeadProcessIsReplaced) {
  const std::string address = FreshIpcAddress();
  const std::string path(absl::StripPrefix(address, "ipc://"));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::strncpy(name.sun_path, path.c_str(), sizeof name.sun_path - 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  close(fd);

  auto receiver = StartNode(address);
  auto sender = StartNode("127.0.0.1:0");
  ASSERT_TRUE(sender->Connect(2, address).ok());
  ExpectDelivery(*sender, 2, *receiver);
}

TEST_F(TransportTest, AFileThatIsNoSocketIsLeftAlone) {
  const std::string address = FreshIpcAddress();
  const std::string path(absl::StripPrefix(address, "ipc://"));
  std::ofstream(path) << "precious";
  auto node = NewNode();
  const absl::Status status = node->transport->Start(&node->handler, address);
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists) << status;
  std::string text;
  std::ifstream(path) >> text;
  EXPECT_EQ(text, "precious");
  unlink(path.c_str());
}

TEST_F(TransportTest, StopRemovesTheSocketFile) {
  const std::string address = FreshIpcAddress();
  const std::string path(absl::StripPrefix(address, "ipc://"));
  auto node = StartNode(address);
  EXPECT_EQ(access(path.c_str(), F_OK), 0);
  node->transport->Stop(absl::ZeroDuration());
  EXPECT_NE(access(path.c_str(), F_OK), 0);
}

}  // namespace
}  // namespace streams
}  // namespace cluster::internal
