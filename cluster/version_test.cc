#include "cluster/version.h"

#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

TEST(VersionTest, TextIsMadeOfTheNumbers) {
  EXPECT_EQ(kVersion, absl::StrCat(kVersionMajor, ".", kVersionMinor, ".",
                                   kVersionPatch));
}

TEST(VersionTest, IsTheChangelogsLatest) {
  std::ifstream changelog("CHANGELOG.md");
  std::string line;
  while (std::getline(changelog, line) &&
         (!absl::StartsWith(line, "## ") || line == "## Unreleased")) {
  }
  EXPECT_TRUE(line == absl::StrCat("## ", kVersion) ||
              absl::StartsWith(line, absl::StrCat("## ", kVersion, " ")))
      << line;
}

}  // namespace
}  // namespace cluster::internal
