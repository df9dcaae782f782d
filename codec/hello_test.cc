#include <string>

#include "absl/strings/escaping.h"
#include "codec/frame_header.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

Hello SampleHello() {
  Hello hello;
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
  return hello;
}

void ExpectEqual(const Hello& a, const Hello& b) {
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
}

TEST(HelloTest, HasTheseBytes) {
  EXPECT_EQ(absl::BytesToHexString(EncodeHello(SampleHello())),
            "0807060504030201"
            "1817161514131211"
            "2827262524232221"
            "3837363534333231"
            "4847464544434241"
            "0000400000000000"
            "0000000100000000"
            "9a78563412000000"
            "0204"
            "64656d6f");
}

TEST(HelloTest, RoundTripsForEveryLengthOfName) {
  for (std::size_t bytes = 0; bytes <= kClusterNameBytesMax; ++bytes) {
    Hello in = SampleHello();
    in.cluster.assign(bytes, 'n');
    Hello out;
    ASSERT_TRUE(DecodeHello(EncodeHello(in), &out)) << bytes;
    ExpectEqual(in, out);
  }
}

TEST(HelloTest, ALongerNameIsCutToItsBound) {
  Hello in = SampleHello();
  in.cluster.assign(kClusterNameBytesMax + 1, 'n');
  Hello out;
  ASSERT_TRUE(DecodeHello(EncodeHello(in), &out));
  EXPECT_EQ(out.cluster.size(), kClusterNameBytesMax);
}

TEST(HelloTest, ZeroIsNobodyAndNothing) {
  for (std::uint64_t Hello::*field :
       {&Hello::incarnation, &Hello::epoch, &Hello::nonce}) {
    Hello in = SampleHello();
    in.*field = 0;
    Hello out;
    EXPECT_FALSE(DecodeHello(EncodeHello(in), &out));
  }
}

TEST(HelloTest, TruncationAtEveryByteAndASurplusAreRefused) {
  const std::string body = EncodeHello(SampleHello());
  Hello hello;
  for (std::size_t size = 0; size < body.size(); ++size) {
    EXPECT_FALSE(DecodeHello(std::string(body, 0, size), &hello)) << size;
  }
  EXPECT_FALSE(DecodeHello(body + "x", &hello));
}

}  // namespace
}  // namespace cluster
