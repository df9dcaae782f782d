#include "cluster/session/open_batch.h"

#include <string>
#include <utility>
#include <vector>

#include "cluster/session/testing/session_pair.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using Strings = std::vector<std::string>;

// Of what it has.
Batch Close(OpenBatch* open) {
  Batch batch = open->Release();
  Sum(&batch);
  return batch;
}

class OpenBatchTest : public testing::Test {
 protected:
  void Append(const std::string& payload) {
    Envelope envelope;
    envelope.message_id = {9, ++sequence_};
    envelope.payload = payload;
    const EnvelopeView view(envelope);
    open_.Append(view, config_.codec->RecordBytesMax(view));
  }
  void Fill(std::size_t payload_bytes) {
    while (!open_.full()) Append(std::string(payload_bytes, 'x'));
  }

  const SessionConfig config_ = TestSessionConfig(1, 2);
  OpenBatch open_{config_, Lane::kNormal};
  std::uint64_t sequence_ = 0;
};

TEST_F(OpenBatchTest, ClosesWithWhatItTook) {
  Append("a");
  Append(std::string(400, 'b'));
  EXPECT_FALSE(open_.full());
  EXPECT_EQ(PayloadsOf(config_, Close(&open_)),
            (Strings{"a", std::string(400, 'b')}));
  EXPECT_TRUE(open_.empty());
  Append("c");
  EXPECT_EQ(PayloadsOf(config_, Close(&open_)), Strings{"c"});
}

TEST_F(OpenBatchTest, IsFullWhenNoOtherLikeTheLastFits) {
  Fill(50);
  EXPECT_LE(open_.batch().body_bytes, config_.frame_bytes);
  EXPECT_GT(open_.batch().body_bytes + 150, config_.frame_bytes);
  open_.Clear();
  EXPECT_FALSE(open_.full());
}

// Whichever of two batches that are joined needs a feature, and however they
// are.
TEST_F(OpenBatchTest, KnowsWhatItsRecordsNeed) {
  const auto append = [this](OpenBatch* batch, std::uint64_t group) {
    Envelope envelope;
    envelope.group = group;
    batch->Append(envelope, config_.codec->RecordBytesMax(envelope));
  };
  for (const std::uint64_t first : {0, 1}) {
    for (const std::uint64_t second : {0, 1}) {
      const std::uint64_t needed =
          first + second > 0 ? kFeatureGroups : std::uint64_t{0};
      append(&open_, first);
      EXPECT_EQ(open_.features(), first * kFeatureGroups);
      OpenBatch other(config_, Lane::kNormal);
      append(&other, second);
      open_.AppendCopy(other.batch(), other.encode());
      open_.AppendCopy(Close(&other), EncodeState());
      EXPECT_EQ(open_.features(), needed);
      EXPECT_EQ(open_.Release().features, needed);
      EXPECT_EQ(open_.features(), 0u);
    }
  }
}

TEST_F(OpenBatchTest, GoesOnInTheBufferOfASpareBatch) {
  Append("a");
  Batch spare = open_.Release();
  const char* const buffer = spare.body_begin();
  Append("b");
  EXPECT_NE(open_.batch().body_begin(), buffer);
  Batch released = open_.Release(std::move(spare));
  Sum(&released);
  EXPECT_EQ(PayloadsOf(config_, released), Strings{"b"});
  EXPECT_TRUE(open_.empty());
  Append("c");
  EXPECT_EQ(open_.batch().body_begin(), buffer);
  EXPECT_EQ(PayloadsOf(config_, Close(&open_)), Strings{"c"});
}

}  // namespace
}  // namespace cluster::internal
