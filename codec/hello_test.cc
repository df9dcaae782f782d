#include "cluster/codec/hello.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "cluster/codec/little_endian.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

Hello SampleHello() {
  Hello hello;
  hello.versions = {2, 3};
  hello.features = 0x8000000000000001;
  hello.incarnation = 0x0102030405060708;
  hello.epoch = 0x1112131415161718;
  hello.nonce = 0x2122232425262728;
  hello.echo_nonce = 0x3132333435363738;
  hello.echo_epoch = 0x4142434445464748;
  hello.window_bytes = 4u << 20;
  hello.frame_bytes_max = 16u << 20;
  hello.payload_bytes_max = 0x123456789a;
  hello.codec = 2;
  hello.cluster = "demo";
  hello.address = "h:1";
  hello.heartbeat_ms = 2000;
  hello.peer_timeout_ms = 5000;
  hello.your_heartbeat_ms = 1000;
  hello.your_peer_timeout_ms = 3000;
  return hello;
}

void ExpectEqual(const Hello& a, const Hello& b) {
  EXPECT_EQ(a.versions.min, b.versions.min);
  EXPECT_EQ(a.versions.max, b.versions.max);
  EXPECT_EQ(a.features, b.features);
  EXPECT_EQ(a.incarnation, b.incarnation);
  EXPECT_EQ(a.epoch, b.epoch);
  EXPECT_EQ(a.nonce, b.nonce);
  EXPECT_EQ(a.echo_nonce, b.echo_nonce);
  EXPECT_EQ(a.echo_epoch, b.echo_epoch);
  EXPECT_EQ(a.window_bytes, b.window_bytes);
  EXPECT_EQ(a.frame_bytes_max, b.frame_bytes_max);
  EXPECT_EQ(a.payload_bytes_max, b.payload_bytes_max);
  EXPECT_EQ(a.codec, b.codec);
  EXPECT_EQ(a.cluster, b.cluster);
  EXPECT_EQ(a.address, b.address);
  EXPECT_EQ(a.heartbeat_ms, b.heartbeat_ms);
  EXPECT_EQ(a.peer_timeout_ms, b.peer_timeout_ms);
  EXPECT_EQ(a.your_heartbeat_ms, b.your_heartbeat_ms);
  EXPECT_EQ(a.your_peer_timeout_ms, b.your_peer_timeout_ms);
}

std::string Entry(std::uint16_t type, const std::string& value) {
  std::string entry(4, '\0');
  StoreLittle(&entry[0], type);
  StoreLittle(&entry[2], static_cast<std::uint16_t>(value.size()));
  return entry + value;
}

std::uint16_t TypeOf(const std::string& entry) {
  return LoadLittle<std::uint16_t>(entry.data());
}

std::vector<std::string> Entries(std::string body) {
  std::vector<std::string> entries;
  while (!body.empty()) {
    const std::size_t bytes = 4 + LoadLittle<std::uint16_t>(&body[2]);
    entries.push_back(body.substr(0, bytes));
    body.erase(0, bytes);
  }
  return entries;
}

std::string Joined(const std::vector<std::string>& entries) {
  std::string body;
  for (const std::string& entry : entries) body += entry;
  return body;
}

bool Decodes(const std::string& body) {
  Hello hello;
  return DecodeHello(body, &hello);
}

TEST(HelloTest, HasTheseBytes) {
  EXPECT_EQ(absl::BytesToHexString(EncodeHello(SampleHello())),
            "0100010002"
            "0200010003"
            "030008000100000000000080"
            "040008000807060504030201"
            "050008001817161514131211"
            "060008002827262524232221"
            "070008003837363534333231"
            "080008004847464544434241"
            "090008000000400000000000"
            "0a0008000000000100000000"
            "0b0008009a78563412000000"
            "0c00010002"
            "0d00040064656d6f"
            "0e000300683a31"
            "0f000400d0070000"
            "1000040088130000"
            "11000400e8030000"
            "12000400b80b0000");
}

TEST(HelloTest, RoundTripsForEveryLengthOfText) {
  for (std::size_t bytes = 0; bytes <= kWireTextBytesMax; ++bytes) {
    Hello in = SampleHello();
    in.cluster.assign(bytes, 'n');
    in.address.assign(kWireTextBytesMax - bytes, 'a');
    Hello out = SampleHello();
    ASSERT_TRUE(DecodeHello(EncodeHello(in), &out)) << bytes;
    ExpectEqual(in, out);
  }
}

TEST(HelloTest, ALongerTextIsCutToItsBound) {
  Hello in = SampleHello();
  in.cluster.assign(kWireTextBytesMax + 1, 'n');
  Hello out;
  ASSERT_TRUE(DecodeHello(EncodeHello(in), &out));
  EXPECT_EQ(out.cluster.size(), kWireTextBytesMax);
}

TEST(HelloTest, ZeroIsNobodyAndNothing) {
  for (std::uint64_t Hello::*field :
       {&Hello::incarnation, &Hello::epoch, &Hello::nonce}) {
    Hello in = SampleHello();
    in.*field = 0;
    EXPECT_FALSE(Decodes(EncodeHello(in)));
  }
}

TEST(HelloTest, AVersionRangeIsOne) {
  for (const VersionRange& range :
       {VersionRange{0, 0}, VersionRange{0, 2}, VersionRange{3, 2}}) {
    Hello in = SampleHello();
    in.versions = range;
    EXPECT_FALSE(Decodes(EncodeHello(in)));
  }
}

TEST(HelloTest, UnknownEntriesAreSkippedWhereverTheyStand) {
  const std::vector<std::string> entries = Entries(EncodeHello(SampleHello()));
  for (std::size_t at = 0; at <= entries.size(); ++at) {
    for (const std::string& unknown :
         {Entry(0, ""), Entry(19, "x"), Entry(0xffff, std::string(5000, '\1')),
          Entry(19, "x") + Entry(19, "again")}) {
      std::vector<std::string> more = entries;
      more.insert(more.begin() + static_cast<std::ptrdiff_t>(at), unknown);
      Hello out;
      ASSERT_TRUE(DecodeHello(Joined(more), &out)) << at;
      ExpectEqual(out, SampleHello());
    }
  }
}

TEST(HelloTest, TheOrderOfEntriesSaysNothing) {
  std::vector<std::string> entries = Entries(EncodeHello(SampleHello()));
  std::vector<std::string> turned(entries.rbegin(), entries.rend());
  Hello out;
  ASSERT_TRUE(DecodeHello(Joined(turned), &out));
  ExpectEqual(out, SampleHello());
}

TEST(HelloTest, AKnownEntryTwiceIsRefused) {
  const std::vector<std::string> entries = Entries(EncodeHello(SampleHello()));
  for (const std::string& entry : entries)
    EXPECT_FALSE(Decodes(Joined(entries) + entry)) << TypeOf(entry);
}

TEST(HelloTest, AKnownEntryOfAnotherLengthIsRefused) {
  const std::vector<std::string> entries = Entries(EncodeHello(SampleHello()));
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::uint16_t type = TypeOf(entries[i]);
    const bool text = type == 13 || type == 14;
    for (const std::size_t bytes : {0, 2, 3, 7, 9, 256}) {
      if (text && bytes <= kWireTextBytesMax) continue;
      std::vector<std::string> wrong = entries;
      wrong[i] = Entry(type, std::string(bytes, '\1'));
      EXPECT_FALSE(Decodes(Joined(wrong))) << type << ": " << bytes;
    }
  }
}

TEST(HelloTest, WhatIsRequiredIs) {
  const std::vector<std::string> entries = Entries(EncodeHello(SampleHello()));
  const std::vector<std::uint16_t> required = {1, 2, 4, 5, 6, 13};
  for (std::size_t i = 0; i < entries.size(); ++i) {
    std::vector<std::string> fewer = entries;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
    const std::uint16_t type = TypeOf(entries[i]);
    bool needed = false;
    for (const std::uint16_t one : required) needed = needed || one == type;
    EXPECT_EQ(Decodes(Joined(fewer)), !needed) << type;
  }
}

// Cut between two entries it is a shorter hello; within one it is malformed.
TEST(HelloTest, TruncationWithinAnEntryAndASurplusAreRefused) {
  const std::string body = EncodeHello(SampleHello());
  std::size_t end = 0;  // of the entries that are whole
  std::size_t whole = 0;
  const std::vector<std::string> entries = Entries(body);
  for (std::size_t size = 0; size < body.size(); ++size) {
    if (size == end + entries[whole].size()) end += entries[whole++].size();
    // The first 13 have all that is required.
    EXPECT_EQ(Decodes(std::string(body, 0, size)), size == end && whole >= 13)
        << size;
  }
  EXPECT_FALSE(Decodes(body + "x"));
}

TEST(HelloTest, ABodyHasABound) {
  std::string body = EncodeHello(SampleHello());
  while (body.size() + 4 <= kLastingBodyBytesMax) body += Entry(99, "");
  EXPECT_TRUE(Decodes(body));
  EXPECT_FALSE(Decodes(body + Entry(99, "")));
}

TEST(RefusalTest, HasTheseBytesAndReturns) {
  Refusal in;
  in.code = RefusalCode::kWrongCluster;
  in.text = "no";
  in.echo_nonce = 0x2122232425262728;
  in.versions = {2, 4};
  const std::string body = EncodeRefusal(in);
  EXPECT_EQ(absl::BytesToHexString(body),
            "010002000200"
            "020002006e6f"
            "030008002827262524232221"
            "0400010002"
            "0500010004");
  Refusal out;
  ASSERT_TRUE(DecodeRefusal(body + Entry(6, "later"), &out));
  EXPECT_EQ(out.code, in.code);
  EXPECT_EQ(out.text, in.text);
  EXPECT_EQ(out.echo_nonce, in.echo_nonce);
  EXPECT_EQ(out.versions.min, in.versions.min);
  EXPECT_EQ(out.versions.max, in.versions.max);
  EXPECT_FALSE(DecodeRefusal("", &out));  // without its code
  EXPECT_FALSE(DecodeRefusal(body + body, &out));
}

TEST(GoodbyeTest, HasTheseBytesAndReturns) {
  Goodbye in;
  in.reason = GoodbyeReason::kRemovedYou;
  in.text = "bye";
  const std::string body = EncodeGoodbye(in);
  EXPECT_EQ(absl::BytesToHexString(body),
            "010002000200"
            "02000300627965");
  Goodbye out;
  ASSERT_TRUE(DecodeGoodbye(body + Entry(3, "later"), &out));
  EXPECT_EQ(out.reason, in.reason);
  EXPECT_EQ(out.text, in.text);
  EXPECT_TRUE(DecodeGoodbye("", &out));
  EXPECT_EQ(static_cast<int>(out.reason), 0);
  EXPECT_EQ(out.text, "");
  EXPECT_FALSE(DecodeGoodbye(body + body, &out));
}

}  // namespace
}  // namespace cluster::internal
