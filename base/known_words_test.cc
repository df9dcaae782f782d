#include "cluster/base/known_words.h"

#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

TEST(KnownWordsTest, AsksForTheNearestUnlessItIsFar) {
  EXPECT_EQ(KnownWords("transprot", {"transport", "codec"}),
            "; did you mean \"transport\"?; known: transport, codec");
  EXPECT_EQ(KnownWords("zzzzzz", {"transport", "codec"}),
            "; known: transport, codec");
  EXPECT_EQ(NearestWord("zmp", {"memory", "nng", "zmq"}),
            "; did you mean \"zmq\"?");
}

TEST(KnownWordsTest, CaseIsNoDistance) {
  EXPECT_EQ(NearestWord("Servers", {"Server", "servers"}),
            "; did you mean \"servers\"?");
  EXPECT_EQ(NearestWord("ID", {"address", "id"}), "; did you mean \"id\"?");
}

TEST(KnownWordsTest, APartOfAWordPointsAtIt) {
  EXPECT_EQ(NearestWord("addr", {"id", "address", "listen"}),
            "; did you mean \"address\"?");
  EXPECT_EQ(NearestWord("Port", {"Server_Id", "Port_Num"}),
            "; did you mean \"Port_Num\"?");
  EXPECT_EQ(NearestWord("linger", {"heartbeat_ms", "linger_ms"}),
            "; did you mean \"linger_ms\"?");
  EXPECT_EQ(NearestWord("threads", {"io_threads", "send_hwm"}),
            "; did you mean \"io_threads\"?");
  EXPECT_EQ(NearestWord("server_id", {"address", "id"}),
            "; did you mean \"id\"?");
  EXPECT_EQ(NearestWord("listen_address", {"id", "address"}),
            "; did you mean \"address\"?");
}

TEST(KnownWordsTest, WhatIsWrongInEveryLetterPointsAtNothing) {
  for (const char* word : {"", "x", "xy", "quic", "-"})
    EXPECT_EQ(NearestWord(word, {"id", "zmq", "nng"}), "") << word;
  EXPECT_EQ(NearestWord(std::string(65, 'i'), {std::string(66, 'i')}), "");
}

}  // namespace
}  // namespace cluster::internal
