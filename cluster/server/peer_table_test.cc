#include "cluster/server/peer_table.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "cluster/envelope.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

class Member {
 public:
  static constexpr int kNobody = -1;

  int id() const { return id_.load(std::memory_order_relaxed); }
  void Serve(int id) { id_.store(id, std::memory_order_relaxed); }

 private:
  std::atomic<int> id_{kNobody};
};

class PeerTableTest : public ::testing::Test {
 protected:
  void Insert(const std::vector<int>& ids) {
    for (const int id : ids) {
      Member* const member =
          table_.Vacant([] { return std::make_unique<Member>(); });
      member->Serve(id);
      table_.Insert(member);
    }
  }
  void Remove(int id) {
    Member* const member = table_.Find(id);
    table_.Erase(id);
    member->Serve(Member::kNobody);
  }

  void ExpectFound(const std::vector<int>& ids) const {
    for (const int id : ids) {
      const Member* const found = table_.Find(id);
      ASSERT_NE(found, nullptr) << id;
      EXPECT_EQ(found->id(), id);
    }
  }

  void ExpectMissing(const std::vector<int>& ids) const {
    for (const int id : ids) EXPECT_EQ(table_.Find(id), nullptr) << id;
  }

  PeerTable<Member> table_;
};

TEST_F(PeerTableTest, HasNoneAtFirst) {
  ExpectMissing({0, 1, kBroadcast, -2, kServerIdMax});
  EXPECT_TRUE(table_.all().empty());
}

TEST_F(PeerTableTest, FindsIdsThatAreCloseTogether) {
  Insert({3, 1, 2, 7});
  ExpectFound({1, 2, 3, 7});
  ExpectMissing({0, 4, 6, 8, kBroadcast, -2, kServerIdMax});
}

TEST_F(PeerTableTest, FindsIdsThatAreFarApart) {
  const std::vector<int> ids = {0,   1,   254,  255,    256,
                                257, 511, 1000, 100000, kServerIdMax};
  Insert(ids);
  ExpectFound(ids);
  ExpectMissing({2, 253, 258, 510, 512, 999, kServerIdMax - 1, kBroadcast});
}

TEST_F(PeerTableTest, ListsEachObjectOnce) {
  std::set<const Member*> seen;
  for (int id = 0; id < 100; ++id) Insert({id});
  for (Member* member : table_.all()) seen.insert(member);
  EXPECT_EQ(table_.all().size(), 100u);
  EXPECT_EQ(seen.size(), 100u);
}

TEST_F(PeerTableTest, AnObjectServesOneAfterTheOther) {
  constexpr int kMembers = 9;
  constexpr int kStrides[] = {1, 16, 1024, 1 << 20};
  std::mt19937 random(7);
  std::set<int> members;
  for (int step = 0; step < 40000; ++step) {
    const int id = static_cast<int>(random() % 1000) * kStrides[random() % 4];
    if (members.count(id) != 0) {
      Remove(id);
      members.erase(id);
    } else if (members.size() < kMembers) {
      Insert({id});
      members.insert(id);
    }
    for (const int other : {id + 1, id + 16, id ^ 1})
      if (members.count(other) == 0) ExpectMissing({other});
    for (const int member : members) ExpectFound({member});
    if (HasFailure()) FAIL() << "at step " << step;
  }
  EXPECT_LE(table_.all().size(), kMembers + 0u);
}

// Where both belong to one slot, the one that stays is behind the one that goes.
TEST_F(PeerTableTest, FindsWhoIsBehindOneThatHasLeft) {
  for (int id = 2; id < 200; ++id) {
    Insert({1, id});
    Remove(1);
    ExpectFound({id});
    ExpectMissing({1});
    Insert({1});
    ExpectFound({1, id});
    Remove(1);
    Remove(id);
    ExpectMissing({1, id});
  }
}

TEST_F(PeerTableTest, FindsWhoStaysWhileOthersComeAndGo) {
  std::vector<int> stay;
  for (int id = 0; id < 100; ++id) stay.push_back(id * 977);
  std::vector<int> guests;
  for (int id = 0; id < 150; ++id) guests.push_back(1000000 + id * 613);
  // Guests first: those who stay are behind them.
  Insert(guests);
  Insert(stay);
  std::atomic<bool> done{false};
  std::atomic<int> missed{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      while (!done) {
        for (const int id : stay) {
          const Member* const found = table_.Find(id);
          if (found == nullptr || found->id() != id) ++missed;
        }
      }
    });
  }
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    for (const int id : guests) Remove(id);
    std::shuffle(guests.begin(), guests.end(), random);
    Insert(guests);
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(missed, 0);
  ExpectFound(stay);
  ExpectFound(guests);
}

}  // namespace
}  // namespace cluster::internal
