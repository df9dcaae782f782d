// What Server promises to those who set handlers.

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/server.h"
#include "cluster/test_server.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

TEST(ServerCallbacksTest, HandlersSeeUpBeforeTheFirstEnvelope) {
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

TEST(ServerCallbacksTest, HandlersMayNotWait) {
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

TEST(ServerCallbacksTest, PingPongThroughHandlers) {
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

}  // namespace
}  // namespace cluster
