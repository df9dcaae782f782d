// The records of an arrival, read from an Inbox: good and bad ones.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "cluster/codec/codec.h"
#include "cluster/codec/registry.h"
#include "cluster/envelope.h"
#include "cluster/server/inbox.h"
#include "cluster/session/session.h"
#include "cluster/transport/frame.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

constexpr int kSelf = 1;
constexpr int kPeer = 2;
constexpr std::size_t kPayloadBytesMax = 16;

Envelope Good() {
  Envelope envelope;
  envelope.message_id = {7, 1};
  envelope.pid = kSelf;
  envelope.sender_id = kPeer;
  envelope.payload = "good";
  return envelope;
}

Arrival ArrivalOf(const std::vector<Envelope>& envelopes) {
  const Codec* const codec = *FindCodec("binary");
  std::string body;
  EncodeState state;
  for (const Envelope& envelope : envelopes) {
    std::string record(codec->RecordBytesMax(envelope), '\0');
    char* const end = codec->AppendRecord(envelope, &state, &record[0]);
    body.append(record.data(), end);
  }
  Arrival arrival;
  arrival.sender = kPeer;
  arrival.codec = codec->Id();
  arrival.records = static_cast<std::uint32_t>(envelopes.size());
  arrival.body = MakeSlice(std::move(body));
  return arrival;
}

// Remembers all calls.
class Source : public ArrivalSource {
 public:
  void OnConsumed(const Arrival&) override { ++consumed; }
  void OnBadRecords(const Arrival&, RefusalReason why,
                    absl::string_view text) override {
    reason = why;
    trouble = std::string(text);
  }

  int consumed = 0;
  RefusalReason reason = RefusalReason::kMalformed;
  std::string trouble;
};

class InboxRecordsTest : public ::testing::Test {
 protected:
  // How many of the envelopes that are at hand can be read.
  int ReadAll() {
    int read = 0;
    if (!inbox_.TryBeginReading()) return read;
    while (inbox_.Next() != nullptr) ++read;
    inbox_.EndReading();
    return read;
  }

  // The arrival yields its first `good` envelopes, is refused for the rest, and
  // does no harm to the one behind it.
  void ExpectRefused(Arrival arrival, int good, RefusalReason reason,
                     absl::string_view text) {
    source_ = Source();
    inbox_.Push(&source_, std::move(arrival));
    EXPECT_EQ(ReadAll(), good);
    EXPECT_EQ(source_.reason, reason);
    EXPECT_TRUE(absl::StrContains(source_.trouble, text)) << source_.trouble;
    EXPECT_EQ(source_.consumed, 1);
    source_ = Source();
    inbox_.Push(&source_, ArrivalOf({Good(), Good()}));
    EXPECT_EQ(ReadAll(), 2);
    EXPECT_EQ(source_.trouble, "");
    EXPECT_EQ(inbox_.bytes(), 0u);
  }

  Inbox inbox_{kSelf, kPayloadBytesMax, 1 << 20};
  Source source_;
};

TEST_F(InboxRecordsTest, ABroadcastIsForEverybody) {
  Envelope broadcast = Good();
  broadcast.pid = kBroadcast;
  inbox_.Push(&source_, ArrivalOf({broadcast}));
  EXPECT_EQ(ReadAll(), 1);
  EXPECT_EQ(source_.trouble, "");
}

TEST_F(InboxRecordsTest, AnotherServersNameIsRefused) {
  Envelope forged = Good();
  forged.sender_id = 3;
  ExpectRefused(ArrivalOf({Good(), forged, Good()}), 1,
                RefusalReason::kWrongIdentity, "in the name of server 3");
}

TEST_F(InboxRecordsTest, AnotherServersEnvelopeIsRefused) {
  Envelope astray = Good();
  astray.pid = 3;
  ExpectRefused(ArrivalOf({astray}), 0, RefusalReason::kBadRecord,
                "an envelope for server 3");
}

TEST_F(InboxRecordsTest, APayloadOverTheLimitIsRefused) {
  Envelope longest = Good();
  longest.payload.assign(kPayloadBytesMax, 'x');
  Envelope longer = Good();
  longer.payload.assign(kPayloadBytesMax + 1, 'x');
  ExpectRefused(ArrivalOf({longest, longer}), 1, RefusalReason::kBadRecord,
                "a payload of 17 bytes, over payload_bytes_max");
}

TEST_F(InboxRecordsTest, AWrongCountIsRefused) {
  Arrival fewer = ArrivalOf({Good(), Good()});
  fewer.records = 3;
  ExpectRefused(std::move(fewer), 2, RefusalReason::kBadRecord,
                "a frame with 2 records claims 3");
  Arrival more = ArrivalOf({Good(), Good()});
  more.records = 1;
  ExpectRefused(std::move(more), 2, RefusalReason::kBadRecord,
                "a frame with 2 records claims 1");
}

TEST_F(InboxRecordsTest, AnUnknownCodecIsRefused) {
  Arrival arrival = ArrivalOf({Good()});
  arrival.codec = 63;
  ExpectRefused(std::move(arrival), 0, RefusalReason::kBadRecord,
                "a codec with the unknown id 63");
}

// A record must not lean on those of the arrival before.
TEST_F(InboxRecordsTest, AnArrivalThatLeansOnTheOneBeforeIsRefused) {
  inbox_.Push(&source_, ArrivalOf({Good()}));
  EXPECT_EQ(ReadAll(), 1);
  Arrival leaning = ArrivalOf({Good()});
  leaning.body = MakeSlice(std::string("\0\0", 2));
  ExpectRefused(std::move(leaning), 0, RefusalReason::kBadRecord,
                "leans on a record before it, and there is none");
}

TEST_F(InboxRecordsTest, TheFrameIsLetGoWithItsLastRecord) {
  Arrival arrival = ArrivalOf({Good(), Good()});
  const std::weak_ptr<const void> frame = arrival.body.owner;
  inbox_.Push(&source_, std::move(arrival));
  ASSERT_TRUE(inbox_.TryBeginReading());
  ASSERT_NE(inbox_.Next(), nullptr);
  ASSERT_NE(inbox_.Next(), nullptr);
  EXPECT_FALSE(frame.expired());
  inbox_.EndReading();
  EXPECT_TRUE(frame.expired());
}

// A later version may have assigned it.
TEST_F(InboxRecordsTest, AReservedTypeIsTaken) {
  Envelope envelope = Good();
  envelope.msg_type = static_cast<MsgType>(63);
  Source source;
  inbox_.Push(&source, ArrivalOf({envelope}));
  EXPECT_EQ(ReadAll(), 1);
  EXPECT_EQ(source.consumed, 1);
}

}  // namespace
}  // namespace cluster::internal
