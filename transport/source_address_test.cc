#include "cluster/transport/source_address.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kPlace[] = "a.json:7: $.zmq.source_address: ";

struct Result {
  SourceAddress source;
  absl::Status status;
};

Result ReadFrom(const std::string& text) {
  TransportOptions options;
  options.origin = "a.json:7: $.zmq";
  options.values["source_address"] = text;
  OptionReader reader(options);
  Result result;
  result.source = SourceAddress::Read(options, &reader);
  result.status = reader.Finish();
  return result;
}

TEST(SourceAddressTest, NumbersAreTaken) {
  for (const char* text :
       {"127.0.0.1", "::1", "fe80::1%lo", "10.0.0.1", "localhost"}) {
    const Result result = ReadFrom(text);
    EXPECT_TRUE(result.status.ok()) << result.status;
    ASSERT_TRUE(result.source.address().has_value()) << text;
    EXPECT_EQ(result.source.address()->host, text);
  }
  EXPECT_TRUE(ReadFrom("").status.ok());
  EXPECT_FALSE(ReadFrom("").source.address().has_value());
}

TEST(SourceAddressTest, AnythingElseIsRefused) {
  for (const char* text : {"db1", "*", "0.0.0.0", "::", "[::1]", "127.0.0.1:80",
                           "127.0.0", "eth0", "fe80::1%"}) {
    const absl::Status status = ReadFrom(text).status;
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), StartsWith(kPlace));
  }
}

TEST(SourceAddressTest, MustBeOfThisMachine) {
  for (const char* text : {"", "127.0.0.1", "127.0.0.77", "::1", "::1%lo"}) {
    const absl::Status status = ReadFrom(text).source.CheckIsHere();
    EXPECT_TRUE(status.ok()) << status;
  }
  for (const char* text : {"192.0.2.1", "2001:db8::1", "fe80::1%no-such"}) {
    const absl::Status status = ReadFrom(text).source.CheckIsHere();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_THAT(std::string(status.message()), StartsWith(kPlace));
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("this machine has no"));
  }
}

TEST(SourceAddressTest, ReachesItsFamily) {
  const Address v4 = *ParseAddress("10.0.0.1:80");
  const Address v6 = *ParseAddress("[2001:db8::1]:80");
  const Address ipc = *ParseAddress("ipc:///tmp/x");
  for (const Address& to : {v4, v6, ipc})
    EXPECT_TRUE(ReadFrom("").source.CheckReaches(to).ok());
  EXPECT_TRUE(ReadFrom("127.0.0.1").source.CheckReaches(v4).ok());
  EXPECT_TRUE(ReadFrom("127.0.0.1").source.CheckReaches(ipc).ok());
  EXPECT_TRUE(ReadFrom("::1").source.CheckReaches(v6).ok());
  EXPECT_EQ(ReadFrom("::1").source.CheckReaches(v4).message(),
            std::string(kPlace) +
                "::1 cannot reach 10.0.0.1:80, which is IPv4; want both of one "
                "family, or no source_address");
  EXPECT_FALSE(ReadFrom("127.0.0.1").source.CheckReaches(v6).ok());
}

}  // namespace
}  // namespace cluster::internal
