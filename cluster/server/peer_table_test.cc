#include "cluster/server/peer_table.h"

#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "cluster/envelope.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

struct Member {
  int id;
};

class PeerTableTest : public ::testing::Test {
 protected:
  void Insert(const std::vector<int>& ids) {
    std::vector<std::pair<int, std::unique_ptr<Member>>> members;
    for (const int id : ids)
      members.emplace_back(id, std::make_unique<Member>(Member{id}));
    table_.Insert(std::move(members));
  }

  void ExpectFound(const std::vector<int>& ids) const {
    for (const int id : ids) {
      const Member* const found = table_.Find(id);
      ASSERT_NE(found, nullptr) << id;
      EXPECT_EQ(found->id, id);
    }
  }

  void ExpectMissing(const std::vector<int>& ids) const {
    for (const int id : ids) EXPECT_EQ(table_.Find(id), nullptr) << id;
  }

  PeerTable<Member> table_;
};

TEST_F(PeerTableTest, HasNoneAtFirst) {
  ExpectMissing({0, 1, kBroadcast, kServerIdMax});
  EXPECT_TRUE(table_.entries().empty());
}

TEST_F(PeerTableTest, FindsIdsThatAreCloseTogether) {
  Insert({3, 1, 2, 7});
  ExpectFound({1, 2, 3, 7});
  ExpectMissing({0, 4, 6, 8, kBroadcast, kServerIdMax});
}

TEST_F(PeerTableTest, FindsIdsThatAreFarApart) {
  const std::vector<int> ids = {0,   1,   254,  255,    256,
                                257, 511, 1000, 100000, kServerIdMax};
  Insert(ids);
  ExpectFound(ids);
  ExpectMissing({2, 253, 258, 510, 512, 999, kServerIdMax - 1, kBroadcast});
}

TEST_F(PeerTableTest, FindsWhatCameLater) {
  Insert({500});
  Insert({501, 400});
  Insert({2});
  ExpectFound({2, 400, 500, 501});
  ExpectMissing({1, 3, 399, 401, 499, 502});
  std::vector<int> ids;
  for (const auto& [id, member] : table_.entries()) ids.push_back(id);
  EXPECT_EQ(ids, std::vector<int>({2, 400, 500, 501}));
}

TEST_F(PeerTableTest, IsReadWhileMembersCome) {
  Insert({1});
  std::atomic<bool> done{false};
  std::thread reader([&] {
    while (!done) ExpectFound({1});
  });
  for (int id = 2; id < 400; ++id) Insert({id});
  done = true;
  reader.join();
  ExpectFound({2, 255, 256, 257, 399});
}

}  // namespace
}  // namespace cluster
