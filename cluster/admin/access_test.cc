#include "cluster/admin/access.h"

#include <sys/stat.h>

#include <fstream>
#include <string>

#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

std::string Write(const std::string& name, const std::string& text,
                  mode_t mode = 0600) {
  const std::string path = testing::TempDir() + "/" + name;
  std::ofstream(path) << text;
  chmod(path.c_str(), mode);
  return path;
}

constexpr char kToken[] = "0123456789abcdef0123456789abcdef";

TEST(Access, LoopbackAndSocketFilesAreLocal) {
  for (const char* local : {"127.0.0.1:1", "127.8.9.1:1", "localhost:1",
                            "[::1]:1", "ipc:///tmp/x"}) {
    EXPECT_TRUE(IsLocal(local)) << local;
    EXPECT_TRUE(CheckExposure(local, false).ok()) << local;
  }
  for (const char* other : {"0.0.0.0:1", "*:1", "[::]:1", "10.0.0.1:1",
                            "[fe80::1%lo]:1", "localhost.example:1"}) {
    EXPECT_FALSE(IsLocal(other)) << other;
    EXPECT_EQ(CheckExposure(other, false).code(),
              absl::StatusCode::kFailedPrecondition)
        << other;
    EXPECT_TRUE(CheckExposure(other, true).ok()) << other;
  }
}

TEST(Access, AHostIsANumberOrAKnownName) {
  for (const char* good :
       {"127.0.0.1", "127.0.0.1:9101", "10.1.2.3:80", "[::1]:9101", "[fe80::1]",
        "localhost", "LOCALHOST:1", "localhost.", "db1:9101", "DB1"})
    EXPECT_TRUE(HostAllowed(good, {"db1"})) << good;
  for (const char* bad :
       {"", ":9101", "evil.example", "evil.example:9101", "localhost.evil.com",
        "127.0.0.1.evil.com", "db1.evil.com", "[::1", "1.2.3", "db2"})
    EXPECT_FALSE(HostAllowed(bad, {"db1"})) << bad;
}

TEST(Access, OnlyTheWholeTokenMatches) {
  const Token token =
      Token::Load(Write("token", std::string(kToken) + "\n")).value();
  EXPECT_TRUE(token.Matches(std::string("Bearer ") + kToken));
  EXPECT_TRUE(token.Matches(std::string("bearer  ") + kToken + " "));
  const std::string wrong[] = {
      "",
      "Bearer",
      "Bearer ",
      kToken,
      std::string("Basic ") + kToken,
      std::string("Bearer ") + kToken + "0",
      std::string("Bearer ") + std::string(kToken).substr(1),
      "Bearer 0123456789abcdef0123456789abcdee"};
  for (const std::string& text : wrong)
    EXPECT_FALSE(token.Matches(text)) << text;
}

TEST(Access, ATokenFileIsPrivateAndHoldsOneToken) {
  EXPECT_EQ(Token::Load(Write("open", kToken, 0644)).status().code(),
            absl::StatusCode::kPermissionDenied);
  for (const char* text : {"", "short", "0123456789abcdef 123456789abcdef",
                           "0123456789abcdef\x01zzzzz", "\n0123456789abcdef"}) {
    const absl::Status status = Token::Load(Write("bad", text)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    // No text holds a token.
    EXPECT_EQ(status.message().find("789a"), std::string::npos);
  }
  EXPECT_EQ(Token::Load(testing::TempDir() + "/nowhere").status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace cluster::internal
