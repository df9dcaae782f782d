#include "programs/line_reader.h"

#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class LineReaderTest : public ::testing::Test {
 protected:
  LineReaderTest() {
    EXPECT_EQ(pipe(pipe_), 0);
    reader_ = std::make_unique<LineReader>(pipe_[0], 10);
  }
  ~LineReaderTest() override {
    close(pipe_[0]);
    if (pipe_[1] >= 0) close(pipe_[1]);
  }

  // Writes `text` and returns the lines; a cut one ends with "...".
  std::vector<std::string> After(const std::string& text) {
    EXPECT_EQ(write(pipe_[1], text.data(), text.size()),
              static_cast<ssize_t>(text.size()));
    return Lines();
  }
  std::vector<std::string> AtTheEnd() {
    close(pipe_[1]);
    pipe_[1] = -1;
    return Lines();
  }

  std::unique_ptr<LineReader> reader_;

 private:
  std::vector<std::string> Lines() {
    reader_->Fill();
    std::vector<std::string> lines;
    std::string line;
    while (reader_->Next(&line))
      lines.push_back(line + (reader_->cut() ? "..." : ""));
    return lines;
  }

  int pipe_[2];
};

TEST_F(LineReaderTest, GivesWholeLines) {
  EXPECT_THAT(After("one\ntwo\nth"), ElementsAre("one", "two"));
  EXPECT_THAT(After("r"), IsEmpty());
  EXPECT_THAT(After("ee\n\n"), ElementsAre("three", ""));
  EXPECT_FALSE(reader_->ended());
  EXPECT_THAT(AtTheEnd(), IsEmpty());
  EXPECT_TRUE(reader_->ended());
}

TEST_F(LineReaderTest, GivesTheLastLineWithoutItsNewline) {
  EXPECT_THAT(After("one\nlast"), ElementsAre("one"));
  EXPECT_THAT(AtTheEnd(), ElementsAre("last"));
}

TEST_F(LineReaderTest, CutsALineThatIsTooLong) {
  EXPECT_THAT(After("0123456789\n0123456789a\nnext\n"),
              ElementsAre("0123456789", "0123456789...", "next"));
}

TEST_F(LineReaderTest, DropsTheRestOfALineWithoutEnd) {
  EXPECT_THAT(After("0123456789abc"), ElementsAre("0123456789..."));
  EXPECT_THAT(After("0123456789abc"), IsEmpty());
  EXPECT_THAT(After("rest\nnext\n"), ElementsAre("next"));
}

TEST_F(LineReaderTest, DropsTheRestOfALineThatTheEndCuts) {
  EXPECT_THAT(After("0123456789abc"), ElementsAre("0123456789..."));
  EXPECT_THAT(After("rest"), IsEmpty());
  EXPECT_THAT(AtTheEnd(), IsEmpty());
}

}  // namespace
}  // namespace cluster
