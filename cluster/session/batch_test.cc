#include "cluster/session/batch.h"

#include <string>

#include "cluster/codec/frame_header.h"
#include "cluster/codec/registry.h"
#include "cluster/session/testing/session_pair.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

Envelope Numbers(std::size_t bytes) {
  Envelope envelope;
  envelope.message_id = {9, 1};
  envelope.term = 7;
  for (std::size_t i = 0; envelope.payload.size() < bytes; ++i)
    envelope.payload += std::to_string(i) + ",";
  envelope.payload.resize(bytes);
  return envelope;
}

// Of the two codecs one lets the payload follow as it is.
class LargeRecord : public testing::TestWithParam<const char*> {
 protected:
  LargeRecord() { config_.codec = *FindCodec(GetParam()); }

  std::string Record(const Envelope& envelope) const {
    std::string record(config_.codec->RecordBytesMax(envelope), '\0');
    EncodeState encode;
    const char* const end =
        config_.codec->AppendRecord(envelope, &encode, &record[0]);
    record.resize(static_cast<std::size_t>(end - record.data()));
    return record;
  }

  SessionConfig config_ = TestSessionConfig(1, 2);
};

TEST_P(LargeRecord, TheChunksMakeTheRecordAndAreSummed) {
  const std::size_t chunk_bytes =
      ChunkBytes(config_.frame_bytes, config_.inflight_bytes);
  for (std::size_t more : {1, 100, 5000, 20000}) {
    const Envelope envelope = Numbers(chunk_bytes + more);
    const Batch batch = EncodeLarge(config_, envelope);
    ASSERT_TRUE(batch.large);
    std::string chunks;
    while (chunks.size() < batch.body_bytes) {
      const absl::string_view chunk =
          batch.PiecesOf(chunks.size(), batch.chunk_size(chunks.size())).in;
      EXPECT_LE(chunk.size(), chunk_bytes);
      EXPECT_EQ(LoadBodyCrc(batch.chunk_header(chunks.size())), Crc32c(chunk));
      chunks.append(chunk.data(), chunk.size());
    }
    EXPECT_EQ(chunks, Record(envelope));
    EXPECT_EQ(batch.payload_bytes_longest, envelope.payload.size());
    EXPECT_EQ(batch.records, 1u);
  }
}

TEST_P(LargeRecord, WhatFitsInAChunkIsASmallBatch) {
  const Envelope envelope = Numbers(10);
  const Batch batch = EncodeLarge(config_, envelope);
  EXPECT_FALSE(batch.large);
  EXPECT_EQ(batch.body(), Record(envelope));
}

INSTANTIATE_TEST_SUITE_P(Codecs, LargeRecord, testing::Values("binary", "json"),
                         [](const auto& test) {
                           return std::string(test.param);
                         });

}  // namespace
}  // namespace cluster::internal
