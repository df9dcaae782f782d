#include "cluster/transport/fault/fault_transport.h"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/transport/contract/contract_suite.h"
#include "cluster/transport/contract/recording_handler.h"
#include "cluster/transport/memory/memory_transport.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

TransportUnderTest WithoutFaults() {
  TransportUnderTest quiet;
  quiet.name = "no_faults";
  quiet.factory = Faults(1).Around(NewMemoryTransport);
  quiet.fresh_address = [] { return std::string("server:0"); };
  quiet.bad_addresses = {""};
  return quiet;
}

// Without faults it behaves like the inner transport.
INSTANTIATE_TEST_SUITE_P(Fault, TransportContract,
                         testing::Values(WithoutFaults()),
                         TransportUnderTest::Name);

// Server 1, connected to server 2, each on a transport with the same faults.
struct Pair {
  explicit Pair(const Faults& faults) {
    one.transport = Make(faults, 1, &one.handler);
    two.transport = Make(faults, 2, &two.handler);
    EXPECT_TRUE(one.Connect(2, two.transport->Address()).ok());
    EXPECT_TRUE(one.handler.WaitForConnected(2));
  }

  static std::unique_ptr<Transport> Make(const Faults& faults, int id,
                                         RecordingHandler* handler) {
    TransportConfig config;
    config.server_id = id;
    auto transport = *faults.Around(NewMemoryTransport)(config);
    EXPECT_TRUE(transport->Start(handler, "server:0").ok());
    return transport;
  }

  Node one;
  Node two;
};

TEST(FaultsTest, LosesSomeAndCountsThem) {
  Faults faults(7);
  Pair pair(faults);
  FaultRates rates;
  rates.lose = 0.5;
  faults.SetRates(rates);
  for (int i = 0; i < 1000; ++i)
    ASSERT_EQ(pair.one.Send(2, absl::StrCat(i)), SendResult::kSent);
  const FaultCounts counts = faults.Counts();
  EXPECT_EQ(counts.lost + counts.passed, 1000u);
  EXPECT_GT(counts.lost, 300u);
  EXPECT_GT(counts.passed, 300u);
  EXPECT_TRUE(pair.two.handler.WaitForFrames(counts.passed));
}

TEST(FaultsTest, DoublesAndReorders) {
  Faults faults(7);
  Pair pair(faults);
  FaultRates rates;
  rates.repeat = 0.3;
  rates.delay = 0.3;
  faults.SetRates(rates);
  for (int i = 0; i < 1000; ++i)
    ASSERT_EQ(pair.one.Send(2, absl::StrCat(i)), SendResult::kSent);
  const FaultCounts counts = faults.Counts();
  EXPECT_GT(counts.repeated, 100u);
  EXPECT_GT(counts.delayed, 100u);
  ASSERT_TRUE(pair.two.handler.WaitForFrames(1000 + counts.repeated));
  const std::vector<std::string> texts = pair.two.handler.Texts();
  EXPECT_EQ(std::set<std::string>(texts.begin(), texts.end()).size(), 1000u);
  std::vector<int> numbers;
  for (const std::string& text : texts) numbers.push_back(std::stoi(text));
  EXPECT_FALSE(std::is_sorted(numbers.begin(), numbers.end()));
}

TEST(FaultsTest, CutsOneWayAndHeals) {
  Faults faults(7);
  Pair pair(faults);
  ASSERT_TRUE(pair.two.Connect(1, pair.one.transport->Address()).ok());
  ASSERT_TRUE(pair.two.handler.WaitForConnected(1));
  faults.Cut(1, 2);
  ASSERT_EQ(pair.one.Send(2, "unheard"), SendResult::kSent);
  ASSERT_EQ(pair.two.Send(1, "heard"), SendResult::kSent);
  EXPECT_TRUE(pair.one.handler.WaitForFrames(1));
  faults.Heal();
  ASSERT_EQ(pair.one.Send(2, "healed"), SendResult::kSent);
  ASSERT_TRUE(pair.two.handler.WaitForFrames(1));
  EXPECT_EQ(pair.two.handler.Texts(), std::vector<std::string>{"healed"});
}

TEST(FaultsTest, IsolatesBothWays) {
  Faults faults(7);
  Pair pair(faults);
  faults.Isolate(2);
  ASSERT_EQ(pair.one.Send(2, "unheard"), SendResult::kSent);
  EXPECT_EQ(faults.Counts().lost, 1u);
}

}  // namespace
}  // namespace cluster::internal
