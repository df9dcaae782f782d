#include "tests/harness/transports.h"

#include <cstdlib>

#include "absl/strings/str_join.h"

namespace cluster::internal {
namespace {

TEST(TransportsTest, BuildFilesHaveTheNamesOfTheTable) {
  EXPECT_EQ(std::getenv("TRANSPORTS"), absl::StrJoin(AllTransports(), " "));
  EXPECT_EQ(std::getenv("SOCKET_TRANSPORTS"),
            absl::StrJoin(SocketTransports(), " "));
  EXPECT_EQ(std::getenv("SECURED_TRANSPORTS"),
            absl::StrJoin(SecuredTransports(), " "));
}

}  // namespace
}  // namespace cluster::internal
