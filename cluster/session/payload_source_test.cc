// Payloads that are moved into the queue, or encoded from several pieces.

#include <memory>
#include <new>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "cluster/base/testing/failing_allocations.h"
#include "cluster/session/batch.h"
#include "cluster/session/testing/session_pair.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using Strings = std::vector<std::string>;

// Each byte depends on its place.
std::string Bytes(std::size_t count, char first = 'a') {
  std::string bytes(count, '\0');
  for (std::size_t i = 0; i < count; ++i)
    bytes[i] = static_cast<char>(first + static_cast<char>(i * i % 23));
  return bytes;
}

// The payload of the envelope moves into the queue of `end`.
SendOutcome AppendMoved(SessionEnd* end, Envelope* envelope,
                        const RecordOptions* options = nullptr) {
  envelope->message_id = {end->config.incarnation, 1};
  envelope->pid = end->config.peer_id;
  envelope->sender_id = end->config.self_id;
  PayloadSource source;
  source.moved = &envelope->payload;
  return end->queue->AppendFrom(end->config.peer_id, *envelope, options, source)
      .outcome;
}

SendOutcome AppendPieces(SessionEnd* end,
                         absl::Span<const absl::string_view> pieces) {
  std::size_t bytes = 0;
  for (const absl::string_view piece : pieces) bytes += piece.size();
  EnvelopeView view;
  view.message_id = {end->config.incarnation, 1};
  view.pid = end->config.peer_id;
  view.sender_id = end->config.self_id;
  view.payload = absl::string_view(nullptr, bytes);
  PayloadSource source;
  source.pieces = pieces;
  return end->queue->AppendFrom(end->config.peer_id, view, nullptr, source)
      .outcome;
}

// In one frame, in the fewest chunks, and in many.
std::vector<std::size_t> Sizes() {
  const SessionConfig config = TestSessionConfig(1, 2);
  const std::size_t chunk =
      ChunkBytes(config.frame_bytes, config.inflight_bytes);
  return {1, config.frame_bytes, chunk - 60, chunk, chunk + 1, 7 * chunk + 5};
}

TEST(PayloadSource, AMovedPayloadArrivesUncopied) {
  for (const std::size_t size : Sizes()) {
    SessionPair pair;
    pair.Connect();
    Envelope envelope;
    envelope.payload = Bytes(size);
    const std::string sent = envelope.payload;
    ASSERT_EQ(AppendMoved(&pair.one, &envelope), SendOutcome::kAccepted);
    EXPECT_NE(envelope.payload, sent) << size;
    pair.Exchange();
    EXPECT_EQ(pair.two.Payloads(), Strings{sent}) << size;
    EXPECT_TRUE(AddsUp(pair.one.Stats()));
  }
}

TEST(PayloadSource, TheFramesPointToAMovedPayload) {
  SessionPair pair;
  pair.Connect();
  Envelope envelope;
  envelope.payload = Bytes(pair.one.config.frame_bytes);
  const char* const begin = envelope.payload.data();
  ASSERT_EQ(AppendMoved(&pair.one, &envelope), SendOutcome::kAccepted);
  Frame frame;
  ASSERT_TRUE(pair.one.session->NextFrame(pair.now, &frame));
  ASSERT_EQ(frame.slices.size(), 3u);
  EXPECT_EQ(frame.slices[0].bytes.size(), kFrameHeaderBytes);
  EXPECT_EQ(frame.slices[2].bytes.data(), begin);
}

TEST(PayloadSource, AMovedPayloadIsSentAgain) {
  for (const std::size_t size : Sizes()) {
    SessionPair pair;
    pair.Connect();
    Envelope envelope;
    envelope.payload = Bytes(size);
    const std::string sent = envelope.payload;
    ASSERT_EQ(AppendMoved(&pair.one, &envelope), SendOutcome::kAccepted);
    pair.one_is_heard = false;
    pair.Exchange();
    pair.one.session->OnConnected(pair.now);
    pair.one_is_heard = true;
    pair.Advance(absl::Seconds(5));
    EXPECT_EQ(pair.two.Payloads(), Strings{sent}) << size;
  }
}

// While the transport still has its frames.
TEST(PayloadSource, AMovedPayloadIsSentToAnotherLifeOfThePeer) {
  for (const std::size_t size : Sizes()) {
    SessionPair pair;
    pair.Connect();
    Envelope envelope;
    envelope.payload = Bytes(size);
    const std::string sent = envelope.payload;
    ASSERT_EQ(AppendMoved(&pair.one, &envelope), SendOutcome::kAccepted);
    std::vector<Frame> kept;
    std::vector<std::string> before;
    Frame frame;
    while (pair.one.session->NextFrame(pair.now, &frame)) {
      kept.push_back(frame);
      before.push_back(BytesOf(frame));
    }
    pair.Reborn(&pair.two, 77);
    pair.Advance(absl::Seconds(5));
    EXPECT_EQ(pair.two.Payloads(), Strings{sent}) << size;
    for (std::size_t i = 0; i < kept.size(); ++i)
      EXPECT_EQ(BytesOf(kept[i]), before[i]) << size;
  }
}

TEST(PayloadSource, ARefusedPayloadIsAsItWas) {
  SessionPair pair;  // it is not connected
  const std::string text = Bytes(pair.one.config.queue_bytes_max / 2, 'A');
  Envelope first;
  first.payload = text;
  ASSERT_EQ(AppendMoved(&pair.one, &first), SendOutcome::kAccepted);
  Envelope second;
  second.payload = text;
  const char* const begin = second.payload.data();
  EXPECT_EQ(AppendMoved(&pair.one, &second), SendOutcome::kFull);
  EXPECT_EQ(second.payload, text);
  // Here the room is looked at only after it was encoded.
  RecordOptions options;
  options.replaces = 7;
  EXPECT_EQ(AppendMoved(&pair.one, &second, &options), SendOutcome::kFull);
  EXPECT_EQ(second.payload, text);
  EXPECT_EQ(second.payload.data(), begin);
}

TEST(PayloadSource, WithoutMemoryAPayloadIsAsItWas) {
  const std::string text = Bytes(3 * TestSessionConfig(1, 2).frame_bytes);
  bool failed = true;
  int failures = 0;
  for (int n = 1; failed; ++n) {
    SessionPair pair;
    pair.Connect();
    Envelope envelope;
    envelope.payload = text;
    RecordOptions options;
    options.replaces = 7;
    bool accepted = false;
    {
      const FailingAllocations failing(n, FailingAllocations::kOne);
      try {
        accepted = AppendMoved(&pair.one, &envelope, &options) ==
                   SendOutcome::kAccepted;
      } catch (const std::bad_alloc&) {
      }
      failed = failing.failed();
    }
    failures += accepted ? 0 : 1;
    EXPECT_TRUE(accepted || envelope.payload == text) << n;
    EXPECT_TRUE(AddsUp(pair.one.Stats())) << n;
    pair.Exchange();
    EXPECT_EQ(pair.two.Payloads(), accepted ? Strings{text} : Strings()) << n;
  }
  EXPECT_GT(failures, 2);
}

TEST(PayloadSource, PiecesArriveAsOnePayload) {
  const SessionConfig config = TestSessionConfig(1, 2);
  const std::size_t chunk =
      ChunkBytes(config.frame_bytes, config.inflight_bytes);
  const std::string small = Bytes(3, 'A');
  const std::string middle = Bytes(chunk - 40, 'B');
  const std::string large = Bytes(3 * chunk + 17, 'C');
  const std::vector<std::vector<absl::string_view>> all = {
      {""},
      {small},
      {small, "", small},
      {small, middle, small},
      {"", large, small, middle, ""},
      std::vector<absl::string_view>(2000, small)};
  for (const auto& pieces : all) {
    SessionPair pair;
    pair.Connect();
    std::string joined;
    for (const absl::string_view piece : pieces)
      joined.append(piece.data(), piece.size());
    ASSERT_EQ(AppendPieces(&pair.one, pieces), SendOutcome::kAccepted);
    pair.Exchange();
    EXPECT_EQ(pair.two.Payloads(), Strings{joined});
  }
}

// They share a frame with what is before and after them.
TEST(PayloadSource, FewSmallPiecesWaitWithOthers) {
  SessionPair pair;
  pair.one.Append("before");
  ASSERT_EQ(AppendPieces(&pair.one, {"a", "b"}), SendOutcome::kAccepted);
  ASSERT_EQ(AppendPieces(&pair.one, {"c", "d"}), SendOutcome::kAccepted);
  pair.one.Append("after");
  pair.Connect();
  EXPECT_EQ(pair.two.Payloads(), (Strings{"before", "ab", "cd", "after"}));
  EXPECT_EQ(pair.one.Stats().in_flight, 0u);
}

}  // namespace
}  // namespace cluster::internal
