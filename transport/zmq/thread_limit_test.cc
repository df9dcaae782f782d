// A process that can have no more threads: Start says so, and all is as before.

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "cluster/transport/contract/recording_handler.h"
#include "cluster/transport/zmq/testing/socket_path.h"
#include "cluster/transport/zmq/zmq_transport.h"
#include "gtest/gtest.h"
#include "programs/keygen/keys.h"

namespace {

constexpr int kPlenty = 1000;

// How many threads the transports can yet have, and what the first that they
// cannot have waits for before that is said.
std::atomic<int> threads_left{kPlenty};
cluster::Gate* refusal_gate = nullptr;

bool SignalsAreBlocked() {
  sigset_t blocked;
  pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
  return sigismember(&blocked, SIGUSR1) == 1;
}

}  // namespace

// In front of the C library's. ZeroMQ ends the process if it is denied a thread
// of its own, so its calls are let through.
// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name)
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* how,
                              void* (*run)(void*), void* argument) noexcept {
  static const auto system = reinterpret_cast<decltype(&pthread_create)>(
      dlsym(RTLD_NEXT, "pthread_create"));
  Dl_info caller{};
  const bool zeromq = dladdr(__builtin_return_address(0), &caller) != 0 &&
                      caller.dli_fname != nullptr &&
                      std::strstr(caller.dli_fname, "libzmq") != nullptr;
  if (!zeromq && SignalsAreBlocked() && --threads_left < 0) {
    if (refusal_gate != nullptr) refusal_gate->Wait();
    return EAGAIN;
  }
  return system(thread, how, run, argument);
}

namespace cluster::internal {
namespace {

struct Node {
  RecordingHandler handler;
  std::unique_ptr<Transport> transport;  // goes first
};

class ThreadLimitTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (!secured()) return;
    KeyRequest keys;
    keys.cluster = TransportConfig().cluster;
    keys.server_ids = {1};
    keys.folder = absl::StrCat(testing::TempDir(), "/threadsXXXXXX");
    ASSERT_NE(mkdtemp(&keys.folder[0]), nullptr);
    ASSERT_TRUE(MakeKeys(keys).ok());
    config_.security.emplace();
    config_.security->identity = absl::StrCat(keys.folder, "/1");
  }
  void TearDown() override {
    threads_left = kPlenty;
    refusal_gate = nullptr;
  }

  static bool secured() { return GetParam(); }
  // Two that receive, one for the news, and ZAP's.
  static int threads() { return secured() ? 4 : 3; }

  std::unique_ptr<Node> NewNode() const {
    auto node = std::make_unique<Node>();
    node->transport = *NewZmqTransport(config_);
    return node;
  }

  void ExpectRefusal(Node* node, int made) {
    threads_left = made;
    const absl::Status status =
        node->transport->Start(&node->handler, address_);
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_FALSE(SignalsAreBlocked());
    EXPECT_EQ(node->transport->Address(), "");
  }

  TransportConfig config_;
  const SocketPath path_;
  const std::string address_ = path_.Address();
};

TEST_P(ThreadLimitTest, WhoCannotStartCanBeDestroyed) {
  for (int made = 0; made < threads(); ++made) {
    const auto node = NewNode();
    ExpectRefusal(node.get(), made);
  }
}

TEST_P(ThreadLimitTest, WhoCouldNotStartCanLater) {
  const auto node = NewNode();
  for (int made = 0; made < threads(); ++made) ExpectRefusal(node.get(), made);
  threads_left = threads();
  EXPECT_EQ(node->transport->Start(&node->handler, address_), absl::OkStatus());
  EXPECT_EQ(node->transport->Address(), address_);
}

INSTANTIATE_TEST_SUITE_P(Zmq, ThreadLimitTest, testing::Bool());

using CallbackDuringStart = ThreadLimitTest;

// A frame comes to the first thread before there is a second.
TEST_P(CallbackDuringStart, MayWantTheTransport) {
  const auto client = NewNode();
  ASSERT_TRUE(client->transport->Start(&client->handler, "127.0.0.1:0").ok());
  ASSERT_TRUE(client->transport->Connect(1, address_, 1).ok());
  ASSERT_EQ(client->transport->Send(1, Frame{{MakeSlice("early")}}),
            SendResult::kSent);

  const auto node = NewNode();
  Gate inside;
  node->handler.on_frame = [&](const ReceivedFrame&) {
    inside.Open();
    const absl::Status status =
        node->transport->Connect(2, client->transport->Address(), 1);
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    return FrameVerdict::kAccepted;
  };
  refusal_gate = &inside;
  ExpectRefusal(node.get(), threads() - 1);
}

INSTANTIATE_TEST_SUITE_P(Zmq, CallbackDuringStart, testing::Values(false));

}  // namespace
}  // namespace cluster::internal
