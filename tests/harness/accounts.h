// Accounts: whether the figures of Server::Stats add up.
//
// What it is: checks on the figures alone, told as texts. What it is not: a
// check of envelopes (DeliveryLedger).
//
// Threads: the caller's. Errors: the returned texts; none is good.
//
//   EXPECT_THAT(BalanceProblems(1, server.Stats()), IsEmpty());
//   EXPECT_THAT(SettledProblems(cluster), IsEmpty());   // after a good
//   FlushAll

#ifndef TESTS_HARNESS_ACCOUNTS_H_
#define TESTS_HARNESS_ACCOUNTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/stats.h"
#include "tests/harness/test_cluster.h"

namespace cluster {

// All envelopes that were accepted for the peer and dropped since.
std::uint64_t DroppedSum(const PeerStats& stats);

// At any moment and whatever happened: accepted == acknowledged + queued +
// in_flight + dropped, for each peer of server `id` and for itself, and the
// watchdog had nothing to do.
std::vector<std::string> BalanceProblems(int id, const ServerStats& stats);

// Of a cluster in which no server restarted, when all has been acknowledged:
// nothing waits or was dropped, each received what the other sent, all of it
// was delivered, and nothing was refused that loss and delay do not explain.
// `strangers` are about: what was refused of nobody is theirs.
std::vector<std::string> SettledProblems(const TestCluster& cluster,
                                         bool strangers = false);

}  // namespace cluster

#endif  // TESTS_HARNESS_ACCOUNTS_H_
