// A build without any optional transport.

#include <fstream>
#include <iterator>
#include <string>

#include "absl/status/status.h"
#include "cluster/transport/options.h"
#include "cluster/transport/registry.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

absl::Status StatusOf(const char* transport) {
  return (*FindTransport(transport))(TransportConfig()).status();
}

TEST(AbsentTest, TheErrorNamesTheTransportAndTheFlag) {
  const absl::Status nng = StatusOf("nng");
  EXPECT_EQ(nng.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(nng.message(),
            "this build has no nng: it was built with --//:with_nng=false; "
            "leave the flag out, or choose another transport");
  EXPECT_THAT(std::string(StatusOf("zmq").message()),
              HasSubstr("no zmq: it was built with --//:with_zmq=false"));
  EXPECT_TRUE(StatusOf("memory").ok());
}

// A config may have options of transports that it does not use.
TEST(AbsentTest, ItsOptionsAreNotChecked) {
  TransportOptions options;
  options.values["bogus"] = true;
  EXPECT_TRUE(CheckTransportOptions("nng", options).ok());
  EXPECT_FALSE(CheckTransportOptions("memory", options).ok());
}

TEST(AbsentTest, NothingOfItIsLoaded) {
  std::ifstream file("/proc/self/maps");
  const std::string maps((std::istreambuf_iterator<char>(file)),
                         std::istreambuf_iterator<char>());
  EXPECT_THAT(maps, HasSubstr("absent_test"));
  EXPECT_THAT(maps, Not(HasSubstr("libnng")));
  EXPECT_THAT(maps, Not(HasSubstr("libzmq")));
}

}  // namespace
}  // namespace cluster
