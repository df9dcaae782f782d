#include "cluster/transport/nng/drainer.h"

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
    if (++drained < kDepth) drainer->Drain();
  }
  void OnWritable(int) override {}
  void OnConnected(int, std::uint64_t) override {}
  void OnDisconnected(int, std::uint64_t, absl::string_view) override {}
  void OnRejected(Rejection) override {}

  Drainer* drainer = nullptr;
  int drained = 0;
};

// In a callback of nng there is nobody to tell.
TEST(DrainerTest, WithoutAThreadToHandOverToItDrainsItself) {
  NestedHandler handler;
  Drainer drainer(&handler);
  handler.drainer = &drainer;
  const NoMoreThreads none;
  drainer.Drain();
  EXPECT_EQ(handler.drained, NestedHandler::kDepth);
}

}  // namespace
}  // namespace nng
}  // namespace cluster::internal
