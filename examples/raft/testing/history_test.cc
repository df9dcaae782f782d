// A checker that finds nothing proves nothing: right and wrong histories.

#include "examples/raft/testing/history.h"

#include "gtest/gtest.h"

namespace raft {
namespace {

class HistoryTest : public testing::Test {
 protected:
  void Put(const std::string& value, const std::string& key = "x") {
    history_.Respond(history_.InvokePut(key, value));
  }
  void Get(const std::string& value, const std::string& key = "x") {
    history_.Respond(history_.InvokeGet(key), value);
  }
  int BeginPut(const std::string& value) {
    return history_.InvokePut("x", value);
  }
  int BeginGet() { return history_.InvokeGet("x"); }

  void ExpectRight() { EXPECT_EQ(history_.Check(), ""); }
  void ExpectWrong() { EXPECT_EQ(history_.Check(), "x"); }

  History history_;
};

TEST_F(HistoryTest, EmptyIsRight) { ExpectRight(); }

TEST_F(HistoryTest, OneAfterTheOther) {
  Get("");
  Put("1");
  Get("1");
  Put("2");
  Get("2");
  Get("2");
  ExpectRight();
}

TEST_F(HistoryTest, AStaleGetIsWrong) {
  Put("1");
  Put("2");
  Get("1");
  ExpectWrong();
}

TEST_F(HistoryTest, ALostPutIsWrong) {
  Put("1");
  Get("");
  ExpectWrong();
}

TEST_F(HistoryTest, AValueOfNobodyIsWrong) {
  Put("1");
  Get("2");
  ExpectWrong();
}

TEST_F(HistoryTest, AValueFromTheFutureIsWrong) {
  Get("1");
  Put("1");
  ExpectWrong();
}

TEST_F(HistoryTest, AValueThatComesBackIsWrong) {
  Put("1");
  Put("2");
  Get("2");
  Get("1");
  ExpectWrong();
}

TEST_F(HistoryTest, OverlappingPutsMayComeInEitherOrder) {
  for (const char* last : {"1", "2"}) {
    history_ = History();
    const int first = BeginPut("1");
    const int second = BeginPut("2");
    history_.Respond(first);
    history_.Respond(second);
    Get(last);
    ExpectRight();
  }
}

// Whichever order it was, two clients must not see both.
TEST_F(HistoryTest, OverlappingPutsInBothOrdersAreWrong) {
  const int first = BeginPut("1");
  const int second = BeginPut("2");
  history_.Respond(first);
  history_.Respond(second);
  Get("1");
  Get("2");
  ExpectWrong();
}

TEST_F(HistoryTest, AGetDuringAPutMaySeeItOrNot) {
  for (const char* seen : {"", "1"}) {
    history_ = History();
    const int put = BeginPut("1");
    Get(seen);
    history_.Respond(put);
    Get("1");
    ExpectRight();
  }
}

TEST_F(HistoryTest, OneThatSawAPutMakesItVisibleToAll) {
  const int put = BeginPut("1");
  Get("1");
  Get("");
  history_.Respond(put);
  ExpectWrong();
}

TEST_F(HistoryTest, AnOldGetMayEndLate) {
  const int get = BeginGet();
  Put("1");
  history_.Respond(get, "");
  ExpectRight();
}

TEST_F(HistoryTest, APutWithoutResponseMayRunMuchLaterOrNever) {
  BeginPut("1");
  Put("2");
  Get("2");
  ExpectRight();
  Get("1");
  ExpectRight();
  Get("2");
  ExpectWrong();  // it ran once at most
}

TEST_F(HistoryTest, APutThatNeverRanMustNotBeSeen) {
  const int put = BeginPut("1");
  history_.Forget(put);
  Get("1");
  ExpectWrong();
}

TEST_F(HistoryTest, AGetWithoutResponseSaysNothing) {
  BeginGet();
  Put("1");
  Get("1");
  ExpectRight();
}

TEST_F(HistoryTest, KeysAreIndependent) {
  Put("1", "x");
  Put("2", "y");
  Get("1", "x");
  Get("2", "y");
  ExpectRight();
  Get("1", "y");
  EXPECT_EQ(history_.Check(), "y");
}

}  // namespace
}  // namespace raft
