#include "examples/raft/file_disk.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace raft {
namespace {

class FileDiskTest : public testing::Test {
 protected:
  FileDiskTest()
      : folder_(absl::StrCat(
            testing::TempDir(), "/",
            testing::UnitTest::GetInstance()->current_test_info()->name())) {}

  // Opens the folder anew.
  Persistent Open() {
    disk_ = nullptr;
    Persistent persistent;
    auto disk = FileDisk::Open(folder_, FileDisk::kSync, &persistent);
    EXPECT_TRUE(disk.ok()) << disk.status();
    if (disk.ok()) disk_ = *std::move(disk);
    return persistent;
  }
  void Append(Term term, Index index, const std::string& command) {
    Update update;
    update.current_term = term;
    update.voted_for = 2;
    update.first = index;
    update.entries = {{index, term, command}};
    ASSERT_TRUE(disk_->Write(update).ok());
    ASSERT_TRUE(disk_->Sync().ok());
  }
  std::string Journal() {
    std::ifstream file(absl::StrCat(folder_, "/journal"), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  void SetJournal(const std::string& bytes) {
    disk_ = nullptr;
    std::ofstream(absl::StrCat(folder_, "/journal"), std::ios::binary) << bytes;
  }

  const std::string folder_;
  std::unique_ptr<FileDisk> disk_;
};

TEST_F(FileDiskTest, BeginsEmptyAndKeepsAllUpdates) {
  EXPECT_EQ(Open().current_term, 0u);
  Append(3, 1, "a");
  Append(3, 2, "b");
  const Persistent found = Open();
  EXPECT_EQ(found.current_term, 3u);
  EXPECT_EQ(found.voted_for, 2);
  ASSERT_EQ(found.log.last_index(), 2u);
  EXPECT_EQ(found.log.At(2).command, "b");
  EXPECT_EQ(found.log.At(2).index, 2u);
}

TEST_F(FileDiskTest, ALaterEntryReplacesAnEarlierOneAndAllBehindIt) {
  Open();
  Append(3, 1, "a");
  Append(3, 2, "b");
  Append(4, 1, "c");
  const Persistent found = Open();
  ASSERT_EQ(found.log.last_index(), 1u);
  EXPECT_EQ(found.log.At(1).command, "c");
}

TEST_F(FileDiskTest, ASnapshotReplacesTheJournal) {
  Open();
  for (Index index = 1; index <= 100; ++index) Append(1, index, "command");
  const std::size_t bytes = Journal().size();
  Update update;
  update.current_term = 1;
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->last_included_index = 99;
  snapshot->last_included_term = 1;
  snapshot->state = "state";
  update.snapshot = snapshot;
  update.first = 100;
  update.entries = {{100, 1, "last"}};
  ASSERT_TRUE(disk_->Write(update).ok());
  ASSERT_TRUE(disk_->Sync().ok());
  EXPECT_LT(Journal().size(), bytes / 10);
  Append(2, 101, "next");
  const Persistent found = Open();
  ASSERT_NE(found.snapshot, nullptr);
  EXPECT_EQ(found.snapshot->state, "state");
  EXPECT_EQ(found.log.base_index(), 99u);
  ASSERT_EQ(found.log.last_index(), 101u);
  EXPECT_EQ(found.log.At(100).command, "last");
  EXPECT_EQ(found.log.At(101).command, "next");
}

// Wherever a crash tears the last record, the others stay.
TEST_F(FileDiskTest, ATornRecordCountsAsNeverWritten) {
  Open();
  Append(1, 1, "a");
  const std::size_t one = Journal().size();
  Append(1, 2, "b");
  const std::string whole = Journal();
  for (std::size_t bytes = one; bytes < whole.size(); ++bytes) {
    SetJournal(whole.substr(0, bytes));
    EXPECT_EQ(Open().log.last_index(), 1u) << bytes;
    SetJournal(whole.substr(0, bytes) +
               std::string(whole.size() - bytes, '\0'));
    EXPECT_EQ(Open().log.last_index(), 1u) << bytes;
  }
  Append(1, 2, "c");
  EXPECT_EQ(Open().log.At(2).command, "c");
}

TEST_F(FileDiskTest, DamageInTheMiddleIsAnError) {
  Open();
  Append(1, 1, "a");
  const std::size_t one = Journal().size();
  Append(1, 2, "b");
  std::string bytes = Journal();
  bytes[one - 1] ^= 1;
  SetJournal(bytes);
  Persistent persistent;
  const auto disk = FileDisk::Open(folder_, FileDisk::kSync, &persistent);
  EXPECT_EQ(disk.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(disk.status().message().find("journal: damaged at byte 0"),
            std::string::npos)
      << disk.status();
}

TEST_F(FileDiskTest, TwoProcessesCannotShareAFolder) {
  Open();
  Persistent persistent;
  EXPECT_EQ(
      FileDisk::Open(folder_, FileDisk::kSync, &persistent).status().code(),
      absl::StatusCode::kFailedPrecondition);
}

TEST_F(FileDiskTest, AFolderThatCannotBeMadeIsAnError) {
  Persistent persistent;
  const auto disk =
      FileDisk::Open("/nowhere/at/all", FileDisk::kSync, &persistent);
  EXPECT_EQ(disk.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(disk.status().message().find("/nowhere/at/all"), std::string::npos);
}

}  // namespace
}  // namespace raft
