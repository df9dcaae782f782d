#include "cluster/transport/nng/drainer.h"

#include <atomic>
#include <future>

#include "cluster/base/testing/no_more_threads.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace nng {
namespace {

// Drains again while it drains, so that more and more calls are inside.
class NestedHandler : public TransportHandler {
 public:
  static constexpr int kDepth = 100;

  FrameVerdict OnFrame(ReceivedFrame) override {
    return FrameVerdict::kAccepted;
  }
  void OnDrained() override {
    if (++drained < kDepth) return drainer->Drain();
    reached_depth.set_value();
  }
  void OnWritable(int) override {}
  void OnConnected(int, std::uint64_t) override {}
  void OnDisconnected(int, std::uint64_t, absl::string_view) override {}
  void OnRejected(Rejection) override {}

  Drainer* drainer = nullptr;
  std::atomic<int> drained{0};
  std::promise<void> reached_depth;
};

// More calls are inside than nng has threads.
TEST(DrainerTest, HandsOverWhatComesWhileTooManyAreInside) {
  NestedHandler handler;
  Drainer drainer(&handler);
  handler.drainer = &drainer;
  ASSERT_TRUE(drainer.Start().ok());
  drainer.Drain();
  handler.reached_depth.get_future().wait();
  drainer.Stop();
  EXPECT_EQ(handler.drained, NestedHandler::kDepth);
}

TEST(DrainerTest, WithoutAThreadToHandOverToItDoesNotStart) {
  NestedHandler handler;
  Drainer drainer(&handler);
  const NoMoreThreads none;
  EXPECT_EQ(drainer.Start().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace nng
}  // namespace cluster::internal
