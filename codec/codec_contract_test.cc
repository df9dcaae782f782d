// The promises of a codec, tested on each one of the registry.

#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "cluster/codec/registry.h"
#include "cluster/codec/testing/random_envelope.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

class CodecContractTest : public ::testing::TestWithParam<std::string> {
 protected:
  const Codec& codec() const { return **FindCodec(GetParam()); }

  // One record, written into exactly the bytes that the bound asks for, so that
  // a sanitizer sees any byte beyond.
  std::string Record(const Envelope& envelope, EncodeState* state) const {
    const std::size_t bound = codec().RecordBytesMax(envelope);
    std::unique_ptr<char[]> buffer(new char[bound]);
    char* const end = codec().AppendRecord(envelope, state, buffer.get());
    EXPECT_LE(static_cast<std::size_t>(end - buffer.get()), bound) << envelope;
    return std::string(buffer.get(), end);
  }

  std::string Body(const std::vector<Envelope>& envelopes) const {
    EncodeState state;
    std::string body;
    for (const Envelope& envelope : envelopes) body += Record(envelope, &state);
    return body;
  }

  // The envelopes of a body up to its end or the first error.
  absl::Status Read(absl::string_view body, std::vector<Envelope>* out) const {
    DecodeState state;
    while (!body.empty()) {
      const std::size_t before = body.size();
      const absl::Status status = codec().NextRecord(&body, &state);
      if (!status.ok()) return status;
      EXPECT_LT(body.size(), before) << "a record without a byte";
      out->push_back(state.envelope.ToEnvelope());
    }
    return absl::OkStatus();
  }

  std::string Standalone(const Envelope& envelope) const {
    std::string message = "what was here before";
    codec().EncodeStandalone(envelope, &message);
    return message;
  }

  absl::StatusOr<Envelope> ReadStandalone(absl::string_view message) const {
    DecodeState state;
    const absl::Status status = codec().DecodeStandalone(message, &state);
    if (!status.ok()) return status;
    return state.envelope.ToEnvelope();
  }

  static Envelope Widest() {
    Envelope envelope;
    envelope.message_id = {std::numeric_limits<std::uint64_t>::max(),
                           std::numeric_limits<std::uint64_t>::max()};
    envelope.pid = kServerIdMax;
    envelope.msg_type = static_cast<MsgType>(0xffff);
    envelope.sender_id = kServerIdMax;
    envelope.term = std::numeric_limits<std::uint64_t>::max();
    envelope.lane = Lane::kUrgent;
    envelope.group = std::numeric_limits<std::uint64_t>::max();
    envelope.correlation = std::numeric_limits<std::uint64_t>::max();
    return envelope;
  }

  static std::vector<Envelope> SomeEnvelopes(std::uint64_t seed, int count) {
    RandomEnvelopes source(seed);
    std::vector<Envelope> envelopes;
    for (int i = 0; i < count; ++i) envelopes.push_back(source.Next());
    return envelopes;
  }
};

TEST_P(CodecContractTest, IsFoundByNameAndById) {
  EXPECT_EQ(codec().Name(), GetParam());
  EXPECT_EQ(FindCodec(codec().Id()), &codec());
  EXPECT_GE(codec().Id(), 1);
  EXPECT_LE(codec().Id(), 63);
}

// A receiver reckons with this, whichever codec a frame names.
TEST_P(CodecContractTest, ARecordTakesAtMostFourThirdsOfItsPayload) {
  for (const char c : {'\x01', '\xff', '"', '\n', '\0', 'x'}) {
    for (const std::size_t bytes : {0, 1, 127, 128, 129, 5000, 100000}) {
      Envelope envelope = Widest();
      envelope.payload.assign(bytes, c);
      EncodeState state;
      const std::size_t most = bytes + bytes / 3 + 4096;
      EXPECT_LE(Record(envelope, &state).size(), most) << bytes;
      EXPECT_LE(codec().RecordBytesMax(envelope), most) << bytes;
      EXPECT_LE(Standalone(envelope).size(), most) << bytes;
    }
  }
}

TEST_P(CodecContractTest, TheZeroEnvelopeAndTheWidestReturn) {
  Envelope broadcast = Widest();
  broadcast.pid = kBroadcast;
  Envelope all_bytes = Widest();
  for (int c = 0; c < 256; ++c) all_bytes.payload += static_cast<char>(c);
  // The dearest payloads: all escaped, and all in base64, at sizes around the
  // bounds of a group.
  Envelope no_group = Widest();
  no_group.group = no_group.correlation = 0;
  Envelope group = no_group;
  group.group = 1;
  Envelope correlation = no_group;
  correlation.correlation = 1;
  std::vector<Envelope> in = {Envelope(), Widest(),    no_group,  group,
                              no_group,   correlation, broadcast, all_bytes};
  for (const char c : {'\x01', '\xff', '"', '\0', 'x'}) {
    for (const std::size_t bytes :
         {1, 2, 3, 4, 127, 128, 129, 130, 131, 5000}) {
      in.push_back(Widest());
      in.back().payload.assign(bytes, c);
    }
  }
  std::vector<Envelope> out;
  ASSERT_TRUE(Read(Body(in), &out).ok());
  EXPECT_EQ(in, out);
  for (const Envelope& envelope : in) {
    const auto alone = ReadStandalone(Standalone(envelope));
    ASSERT_TRUE(alone.ok()) << alone.status();
    EXPECT_EQ(*alone, envelope);
  }
}

TEST_P(CodecContractTest, AStretchKnowsWhetherARecordHasAGroupOrACorrelation) {
  for (std::uint64_t Envelope::*field :
       {&Envelope::group, &Envelope::correlation}) {
    Envelope plain;
    Envelope grouped;
    grouped.*field = 5;
    EncodeState state;
    Record(plain, &state);
    EXPECT_FALSE(state.grouped);
    Record(grouped, &state);
    EXPECT_TRUE(state.grouped);
    Record(plain, &state);
    EXPECT_TRUE(state.grouped);
  }
}

TEST_P(CodecContractTest, RandomBodiesReturn) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  const std::vector<Envelope> in = SomeEnvelopes(seed, 500);
  std::vector<Envelope> out;
  const absl::Status status = Read(Body(in), &out);
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_EQ(in.size(), out.size());
  for (std::size_t i = 0; i < in.size(); ++i) ASSERT_EQ(in[i], out[i]) << i;
}

TEST_P(CodecContractTest, RandomStandaloneMessagesReturn) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  for (const Envelope& envelope : SomeEnvelopes(seed, 200)) {
    const auto out = ReadStandalone(Standalone(envelope));
    ASSERT_TRUE(out.ok()) << out.status();
    ASSERT_EQ(*out, envelope);
  }
}

TEST_P(CodecContractTest, StretchesReadAsOneBody) {
  const std::vector<Envelope> first = SomeEnvelopes(1, 5);
  const std::vector<Envelope> second = SomeEnvelopes(2, 5);
  std::vector<Envelope> both = first;
  both.insert(both.end(), second.begin(), second.end());
  std::vector<Envelope> out;
  ASSERT_TRUE(Read(Body(first) + Body(second), &out).ok());
  EXPECT_EQ(both, out);
}

TEST_P(CodecContractTest, ABodyCutAnywhereYieldsItsWholeRecordsAndAnError) {
  const std::vector<Envelope> in = SomeEnvelopes(3, 6);
  const std::string body = Body(in);
  std::vector<std::size_t> ends;  // of the records
  EncodeState state;
  for (const Envelope& envelope : in) {
    ends.push_back((ends.empty() ? 0 : ends.back()) +
                   Record(envelope, &state).size());
  }
  for (std::size_t size = 0; size < body.size(); ++size) {
    const std::string cut = body.substr(0, size);
    std::size_t whole = 0;
    while (ends[whole] <= size) ++whole;
    const bool between = size == 0 || (whole > 0 && ends[whole - 1] == size);
    std::vector<Envelope> out;
    const absl::Status status = Read(cut, &out);
    ASSERT_EQ(status.ok(), between) << size << ": " << status;
    ASSERT_EQ(out.size(), whole) << size;
    if (between) continue;
    ASSERT_TRUE(absl::IsDataLoss(status)) << size << ": " << status;
    ASSERT_NE(status.message().find("at byte "), absl::string_view::npos)
        << status;
  }
}

TEST_P(CodecContractTest, AMessageCutAnywhereIsAnError) {
  const std::string message = Standalone(SomeEnvelopes(4, 3).back());
  ASSERT_TRUE(ReadStandalone(message).ok());
  for (std::size_t size = 0; size < message.size(); ++size) {
    const std::string cut = message.substr(0, size);
    EXPECT_FALSE(ReadStandalone(cut).ok()) << size;
  }
}

TEST_P(CodecContractTest, ASurplusBehindAMessageIsAnError) {
  const std::string message = Standalone(Widest());
  EXPECT_FALSE(ReadStandalone(message + "x").ok());
  EXPECT_FALSE(ReadStandalone(message + std::string(1, '\0')).ok());
  EXPECT_FALSE(ReadStandalone(message + message).ok());
}

TEST_P(CodecContractTest, NoiseIsNeverTakenForMoreThanItsBytes) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  const std::string body = Body(SomeEnvelopes(seed, 4));
  for (int round = 0; round < 2000; ++round) {
    std::string noise = body;
    for (int flips = 0; flips < 3; ++flips) {
      noise[random() % noise.size()] = static_cast<char>(random());
    }
    std::vector<Envelope> out;
    const absl::Status status = Read(noise, &out);
    std::size_t bytes = 0;
    for (const Envelope& envelope : out) bytes += envelope.payload.size();
    ASSERT_LE(bytes, noise.size());
    if (status.ok()) {
      std::vector<Envelope> again;
      ASSERT_TRUE(Read(Body(out), &again).ok());
      ASSERT_EQ(out, again);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Codecs, CodecContractTest,
                         ::testing::ValuesIn(CodecNames()),
                         [](const auto& info) { return info.param; });

TEST(CodecRegistryTest, KnowsItsCodecsAndRefusesOthers) {
  EXPECT_EQ(CodecNames(), (std::vector<std::string>{"binary", "json"}));
  EXPECT_EQ(FindCodec(std::uint8_t{1}), *FindCodec("binary"));
  EXPECT_EQ(FindCodec(std::uint8_t{2}), *FindCodec("json"));
  EXPECT_EQ(FindCodec(std::uint8_t{0}), nullptr);
  EXPECT_EQ(FindCodec(std::uint8_t{3}), nullptr);
  const auto unknown = FindCodec("xml");
  EXPECT_TRUE(absl::IsNotFound(unknown.status()));
  EXPECT_EQ(unknown.status().message(),
            "unknown codec \"xml\"; known: binary, json");
}

}  // namespace
}  // namespace cluster::internal
