// Checks that the figures of Server::Stats add up.
//
// Each function returns problems as texts; an empty list is good. They look at
// figures alone; DeliveryLedger checks envelopes.
//
//   EXPECT_THAT(BalanceProblems(1, server.Stats()), IsEmpty());
//   EXPECT_THAT(SettledProblems(cluster), IsEmpty());   // after a FlushAll

#ifndef TESTS_HARNESS_ACCOUNTS_H_
#define TESTS_HARNESS_ACCOUNTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/stats.h"
#include "tests/harness/test_cluster.h"

namespace cluster::internal {

// All envelopes that were accepted for the peer and dropped since.
std::uint64_t DroppedSum(const PeerStats& stats);

// Holds at any moment, for each peer of server `id` and for itself: accepted ==
// acknowledged + queued + in_flight + dropped. Also, the watchdog had nothing
// to do.
std::vector<std::string> BalanceProblems(int id, const ServerStats& stats);

// Holds for a cluster without restarts once everything is acknowledged. Nothing
// waits or was dropped. Each server received what the other sent, and delivered
// all of it. Loss and delay explain every refusal. With `strangers`, refusals
// without a peer are theirs.
std::vector<std::string> SettledProblems(const TestCluster& cluster,
                                         bool strangers = false);

}  // namespace cluster::internal

#endif  // TESTS_HARNESS_ACCOUNTS_H_
