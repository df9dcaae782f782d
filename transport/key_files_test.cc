#include "cluster/transport/key_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class KeyFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = absl::StrCat(testing::TempDir(), "/keysXXXXXX");
    ASSERT_NE(mkdtemp(&folder_[0]), nullptr);
    Write("secret", "the secret", 0600);
  }
  void Write(const std::string& name, const std::string& text, mode_t mode) {
    const std::string path = Path(name);
    std::ofstream(path) << text;
    ASSERT_EQ(chmod(path.c_str(), mode), 0);
  }
  std::string Path(const std::string& name) const {
    return absl::StrCat(folder_, "/", name);
  }

  std::string folder_;
};

TEST_F(KeyFilesTest, ReadsAPrivateFile) {
  const absl::StatusOr<Secret> secret = ReadPrivateFile(folder_, "secret");
  ASSERT_TRUE(secret.ok()) << secret.status();
  EXPECT_EQ(secret->text(), "the secret");
}

TEST_F(KeyFilesTest, RefusesAPrivateFileThatOthersMayUse) {
  for (mode_t mode : {0604, 0620, 0660, 0644}) {
    ASSERT_EQ(chmod(Path("secret").c_str(), mode), 0);
    const absl::Status status = ReadPrivateFile(folder_, "secret").status();
    EXPECT_TRUE(absl::IsPermissionDenied(status)) << mode << status;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(absl::StrCat("chmod 600 ", Path("secret"))));
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("the secret")));
  }
}

TEST_F(KeyFilesTest, RefusesAPrivateFolderThatOthersMayUse) {
  ASSERT_EQ(chmod(folder_.c_str(), 0770), 0);
  const absl::Status status = ReadPrivateFile(folder_, "secret").status();
  EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(absl::StrCat("chmod 700 ", folder_)));
}

TEST_F(KeyFilesTest, APublicFileMayBeEverybodys) {
  ASSERT_EQ(chmod(folder_.c_str(), 0755), 0);
  Write("public", "known to all", 0644);
  const absl::StatusOr<std::string> text = ReadPublicFile(folder_, "public");
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(*text, "known to all");
}

TEST_F(KeyFilesTest, SaysWhatIsWrongWithAFile) {
  EXPECT_TRUE(absl::IsNotFound(ReadPrivateFile(folder_, "none").status()));
  EXPECT_TRUE(
      absl::IsNotFound(ReadPrivateFile(Path("none"), "secret").status()));
  ASSERT_EQ(mkdir(Path("folder").c_str(), 0700), 0);
  EXPECT_TRUE(
      absl::IsInvalidArgument(ReadPrivateFile(folder_, "folder").status()));
  ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0600), 0);
  EXPECT_TRUE(
      absl::IsInvalidArgument(ReadPrivateFile(folder_, "pipe").status()));
  Write("large", std::string(kKeyFileBytesMax + 1, 'x'), 0600);
  EXPECT_TRUE(
      absl::IsInvalidArgument(ReadPrivateFile(folder_, "large").status()));
}

TEST_F(KeyFilesTest, ASecretThatWasMovedFromHoldsNothing) {
  absl::StatusOr<Secret> secret = ReadPrivateFile(folder_, "secret");
  ASSERT_TRUE(secret.ok());
  const Secret taken = *std::move(secret);
  EXPECT_EQ(taken.text(), "the secret");
  EXPECT_EQ(secret->size(), 0u);  // NOLINT(bugprone-use-after-move)
}

TEST(SecretTest, IsWipedWhereItLay) {
  Secret secret(1000);
  char* const bytes = secret.data();
  std::fill_n(bytes, 1000, 's');
  secret.Truncate(600);
  EXPECT_EQ(secret.size(), 600u);
  EXPECT_EQ(bytes[599], 's');
  EXPECT_EQ(bytes[600], '\0');
  EXPECT_EQ(bytes[999], '\0');
}

TEST(CertificateNameTest, IsOneThatACertificateMayHold) {
  EXPECT_EQ(CertificateName("demo", 1), "server-1.demo");
  EXPECT_EQ(CertificateName("My cluster/\n2", 7), "server-7.my-cluster--2");
  EXPECT_LE(CertificateName(std::string(255, 'x'), 2147483647).size(), 63u);
}

}  // namespace
}  // namespace cluster::internal
