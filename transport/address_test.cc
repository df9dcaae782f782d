#include "cluster/transport/address.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using ::testing::HasSubstr;

TEST(AddressTest, ReadsAndWritesEachForm) {
  for (const char* text :
       {"127.0.0.1:10001", "db-1.example.org:0", "[::1]:65535",
        "[fe80::1%eth0]:80", "[fe80::1%7]:80", "[::ffff:10.0.0.1]:80", "*:80",
        "ipc:///tmp/a b.sock"}) {
    const absl::StatusOr<Address> address = ParseAddress(text);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(ToString(*address), text);
  }
  EXPECT_EQ(ParseAddress("[::1]:7")->host, "::1");
  EXPECT_EQ(ParseAddress("ipc:///tmp/x")->path, "/tmp/x");
}

TEST(AddressTest, KnowsEveryInterface) {
  for (const char* text :
       {"*:80", "0.0.0.0:80", "[::]:80", "[0::0]:0", "[::%lo]:80"})
    EXPECT_TRUE(ParseAddress(text)->is_every_interface()) << text;
  for (const char* text : {"0.0.0.1:80", "[::1]:80", "a:80", "ipc:///*"})
    EXPECT_FALSE(ParseAddress(text)->is_every_interface()) << text;
}

TEST(AddressTest, SaysWhatIsWrong) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "no port"},
      {"localhost", "no port"},
      {":5", "no host"},
      {"a:", "the port"},
      {"a:65536", "the port"},
      {"a:-1", "the port"},
      {"a:+1", "the port"},
      {"a:1x", "the port"},
      {"::1:5", "stands in brackets"},
      {"[::1:5", "the brackets"},
      {"[abc]:5", "the brackets"},
      {"[::g]:5", "the brackets"},
      {"[1:2]:5", "the brackets"},
      {"[::1::]:5", "the brackets"},
      {"[fe80::1%]:5", "the brackets"},
      {"[fe80::1%a b]:5", "the brackets"},
      {"[fe80::1%eth0%eth1]:5", "the brackets"},
      {"[fe80::1%a-name-of-16-byte]:5", "the brackets"},
      {"[%eth0]:5", "the brackets"},
      {"127.0.0.1%lo:5", "strange character"},
      {"a b:5", "strange character"},
      {"tcp://a:5", "the scheme"},
      {"ipc://relative", "not absolute"},
      {"ipc:///" + std::string(200, 'x'), "201 bytes"},
      {std::string(300, 'h') + ":5", "253"},
  };
  for (const auto& [text, why] : cases) {
    const absl::Status status = ParseAddress(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(why)) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("want \"host:port\""));
  }
}

TEST(AddressTest, OnlyAHostThatIsNoNumberIsAName) {
  for (const char* text :
       {"db1:80", "a.b.example:80", "1.2.3:80", "localhost.example:80"})
    EXPECT_TRUE(ParseAddress(text)->is_name()) << text;
  for (const char* text : {"127.0.0.1:80", "[::1]:80", "[fe80::1%lo]:80",
                           "*:80", "localhost:80", "ipc:///db1"}) {
    EXPECT_FALSE(ParseAddress(text)->is_name()) << text;
  }
}

TEST(AddressTest, BecomesNumbers) {
  const std::pair<const char*, const char*> cases[] = {
      {"localhost:80", "127.0.0.1:80"},
      {"10.0.0.1:80", "10.0.0.1:80"},
      {"[::1]:80", "[::1]:80"},
      {"*:80", "*:80"},
      {"[fe80::1%7]:80", "[fe80::1%7]:80"},
      {"[fe80::1%lo]:80", "[fe80::1%1]:80"},
      {"ipc:///tmp/x%y", "ipc:///tmp/x%y"},
  };
  for (const auto& [text, numbers] : cases)
    EXPECT_EQ(ToString(*ToNumbers(*ParseAddress(text))), numbers);
  const absl::Status status =
      ToNumbers(*ParseAddress("[fe80::1%no-such]:80")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(
      std::string(status.message()),
      HasSubstr("[fe80::1%no-such]:80\": this machine has no interface"));
}

TEST(AddressTest, OnlyAPortCanBeZero) {
  for (const char* text : {"a:0", "a:00", "127.0.0.1:0", "[::1]:0", "*:0",
                           "a name of another form:0"}) {
    EXPECT_TRUE(AsksForAnyPort(text)) << text;
  }
  for (const char* text :
       {"a:10", "127.0.0.1:1", "[::1]:80", "ipc:///tmp/two:0", "ipc:///tmp/0",
        "ipc://relative:0", "a name", ""}) {
    EXPECT_FALSE(AsksForAnyPort(text)) << text;
  }
}

}  // namespace
}  // namespace cluster::internal
