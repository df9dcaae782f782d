#include "cluster/transport/private_path.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "cluster/transport/testing/secret_volume.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr uid_t kRoot = 0;
constexpr uid_t kUser = 4711;
constexpr uid_t kStranger = 4712;

struct stat Info(uid_t owner, mode_t mode) {
  struct stat info {};
  info.st_uid = owner;
  info.st_mode = mode;
  return info;
}

std::string FileFault(uid_t owner, mode_t mode, uid_t user = kUser) {
  return PrivateFileFault("f", Info(owner, S_IFREG | mode), user);
}
std::string FolderFault(uid_t owner, mode_t mode, uid_t user = kUser) {
  return PrivateFolderFault("d", Info(owner, S_IFDIR | mode), user);
}

TEST(PrivatePathRulesTest, AFileIsItsOwnersAloneOrRootsAndAGroups) {
  for (mode_t mode : {0600, 0400, 0700}) {
    EXPECT_EQ(FileFault(kUser, mode), "");
    EXPECT_EQ(FileFault(kRoot, mode), "");
    EXPECT_EQ(FileFault(kRoot, mode, kRoot), "");
    EXPECT_THAT(
        FileFault(kStranger, mode),
        AllOf(StartsWith("f: owner 4712, mode 0"), HasSubstr("another user's"),
              HasSubstr("4711"), HasSubstr("; run: chown 4711 f")));
    EXPECT_THAT(FileFault(kUser, mode, kRoot), HasSubstr("chown 0 f"));
  }
  for (mode_t mode : {0640, 0440}) {
    EXPECT_EQ(FileFault(kRoot, mode), "");
    EXPECT_THAT(FileFault(kUser, mode), HasSubstr("chmod 600 f"));
  }
  for (mode_t mode : {0604, 0602, 0620, 0610, 0644, 0660}) {
    EXPECT_THAT(FileFault(kRoot, mode),
                AllOf(StartsWith("f: owner root (0), mode 0"),
                      HasSubstr("chmod 600 f")));
    EXPECT_THAT(FileFault(kUser, mode), HasSubstr("chmod 600 f"));
  }
}

TEST(PrivatePathRulesTest, AFolderIsItsOwnersAloneOrRootsToChange) {
  EXPECT_EQ(FolderFault(kUser, 0700), "");
  for (mode_t mode : {0700, 0755, 0750, 01777, 03777, 01775})
    EXPECT_EQ(FolderFault(kRoot, mode), "") << mode;
  for (mode_t mode : {0750, 0701, 01777, 0755})
    EXPECT_THAT(FolderFault(kUser, mode), HasSubstr("chmod 700 d")) << mode;
  for (mode_t mode : {0777, 0775, 0757})
    EXPECT_THAT(FolderFault(kRoot, mode), HasSubstr("chmod 700 d")) << mode;
  EXPECT_THAT(FolderFault(kStranger, 0700), HasSubstr("chown 4711 d"));
}

TEST(PrivatePathRulesTest, AnEntryIsSafeWhereOnlyTheTrustedCanReplaceIt) {
  const auto fault = [](uid_t folder_owner, mode_t mode, uid_t entry_owner) {
    return EntryFault("d", Info(folder_owner, S_IFDIR | mode), "d/e",
                      Info(entry_owner, S_IFLNK | 0777), kUser);
  };
  for (uid_t owner : {kUser, kRoot}) {
    EXPECT_EQ(fault(owner, 0755, kStranger), "");
    EXPECT_EQ(fault(owner, 01777, kRoot), "");
    EXPECT_EQ(fault(owner, 01777, kUser), "");
    EXPECT_THAT(fault(owner, 0777, kUser), HasSubstr("chmod go-w d"));
    EXPECT_THAT(fault(owner, 0775, kUser), HasSubstr("chmod go-w d"));
    EXPECT_THAT(fault(owner, 01777, kStranger),
                AllOf(StartsWith("d/e: owner 4712, mode 0777: "),
                      HasSubstr("chown -h 4711 d/e")));
  }
  EXPECT_THAT(fault(kStranger, 0755, kUser),
              AllOf(StartsWith("d: owner 4712, mode 0755: "),
                    HasSubstr("chown 4711 d")));
}

TEST(PrivatePathRulesTest, APublicFileIsNotEverybodysToWrite) {
  EXPECT_EQ(PublicFault("f", Info(kStranger, S_IFREG | 0664)), "");
  EXPECT_THAT(PublicFault("f", Info(kUser, S_IFREG | 0666)),
              HasSubstr("chmod o-w f"));
  EXPECT_THAT(PublicFault("d", Info(kUser, S_IFDIR | 0777)),
              HasSubstr("chmod o-w d"));
  EXPECT_EQ(PublicFault("d", Info(kUser, S_IFDIR | 01777)), "");
}

class PrivatePathTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir() + "/pathXXXXXX").lexically_normal();
    ASSERT_NE(mkdtemp(&folder_[0]), nullptr);
    Write("real/keys/secret");
    Mode("real/keys", 0700);
  }

  std::string At(const std::string& path) const {
    return absl::StrCat(folder_, "/", path);
  }
  void Write(const std::string& path, mode_t mode = 0600) {
    fs::create_directories(fs::path(At(path)).parent_path());
    std::ofstream(At(path)) << "text";
    Mode(path, mode);
  }
  void Mode(const std::string& path, mode_t mode) {
    ASSERT_EQ(chmod(At(path).c_str(), mode), 0);
  }
  void Link(const std::string& path, const std::string& target) {
    fs::create_directories(fs::path(At(path)).parent_path());
    fs::create_symlink(target, At(path));
  }
  absl::Status Open(const std::string& folder, bool is_private = true,
                    const std::string& name = "secret") {
    return OpenKeyFile(At(folder), name, is_private).status();
  }
  // The error of the one folder of all that is everybody's.
  std::string ErrorWhereAllMayWrite(const std::string& path) {
    struct stat info;
    EXPECT_EQ(stat(At(path).c_str(), &info), 0);
    Mode(path, 0777);
    const absl::Status status = Open("linked/keys");
    EXPECT_TRUE(absl::IsPermissionDenied(status)) << path << ": " << status;
    Mode(path, 01777);
    EXPECT_EQ(Open("linked/keys"), absl::OkStatus()) << path;
    Mode(path, info.st_mode & 07777);
    return std::string(status.message());
  }

  std::string folder_;
};

TEST_F(PrivatePathTest, FollowsLinksOfEachKind) {
  Link("linked/keys", At("real/keys"));
  EXPECT_EQ(Open("linked/keys"), absl::OkStatus());
  Link("relative", "real/./keys/../keys");
  EXPECT_EQ(Open("relative"), absl::OkStatus());
  Link("link_to_link", "linked/keys");
  EXPECT_EQ(Open("link_to_link"), absl::OkStatus());
  fs::create_directory(At("files"));
  Mode("files", 0700);
  Link("files/secret", "../link_to_link/secret");
  EXPECT_EQ(Open("files"), absl::OkStatus());
  fs::current_path(At("files"));
  EXPECT_TRUE(OpenKeyFile(".", "secret", true).ok());
  EXPECT_TRUE(OpenKeyFile("../relative/", "secret", true).ok());
}

// Both where the link is and behind it.
TEST_F(PrivatePathTest, RefusesALinkWhereOthersCanReplaceWhatIsOnItsWay) {
  Link("linked/keys", "../real/keys");
  EXPECT_EQ(Open("linked/keys"), absl::OkStatus());
  for (const char* path : {"linked", "real"}) {
    EXPECT_THAT(
        ErrorWhereAllMayWrite(path),
        AllOf(StartsWith(At("linked/keys/secret: the way to it has a ")),
              HasSubstr(absl::StrCat(At(path), ": owner ")),
              HasSubstr(", mode 0777: others can replace "),
              HasSubstr(absl::StrCat("chmod go-w ", At(path)))));
  }
  // Without a link it is the file that has to be private, and its folder.
  Mode("real", 0777);
  EXPECT_EQ(Open("real/keys"), absl::OkStatus());
}

TEST_F(PrivatePathTest, TakesASecretAsKubernetesMountsIt) {
  SecretVolume volume(At("volume"));
  volume.Update({{"secret", "one"}});
  EXPECT_EQ(Open("volume"), absl::OkStatus());
  volume.Update({{"secret", "two"}, {"more", "three"}});
  EXPECT_EQ(Open("volume"), absl::OkStatus());
  EXPECT_EQ(Open("volume", true, "more"), absl::OkStatus());
  // Without the sticky bit anyone could replace its links.
  Mode("volume", 0777);
  EXPECT_TRUE(absl::IsPermissionDenied(Open("volume")));
}

TEST_F(PrivatePathTest, SaysWhatItDoesNotOpen) {
  EXPECT_TRUE(absl::IsNotFound(Open("real/keys", true, "none")));
  EXPECT_TRUE(absl::IsNotFound(Open("none")));
  Link("dangling/secret", "none");
  Mode("dangling", 0700);
  EXPECT_TRUE(absl::IsNotFound(Open("dangling")));
  Link("circle/secret", "secret");
  Mode("circle", 0700);
  EXPECT_TRUE(absl::IsInvalidArgument(Open("circle")));
  EXPECT_TRUE(absl::IsInvalidArgument(Open("real/keys/secret")));
  ASSERT_EQ(mkfifo(At("real/keys/pipe").c_str(), 0600), 0);
  EXPECT_TRUE(absl::IsInvalidArgument(Open("real/keys", true, "pipe")));
  EXPECT_TRUE(absl::IsInvalidArgument(Open("real", true, "keys")));
}

TEST_F(PrivatePathTest, ReadsPublicFilesByAnyLink) {
  Write("open/secret", 0644);
  Link("linked", "open");
  EXPECT_EQ(Open("linked", false), absl::OkStatus());
  Mode("open/secret", 0666);
  EXPECT_TRUE(absl::IsPermissionDenied(Open("linked", false)));
  Mode("open/secret", 0644);
  Mode("open", 0777);
  EXPECT_TRUE(absl::IsPermissionDenied(Open("linked", false)));
}

}  // namespace
}  // namespace cluster::internal
