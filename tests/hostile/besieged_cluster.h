// BesiegedCluster: three servers over one backend, for tests in which somebody
// else talks to them too.
//
// It has a tap on their wires and an account of what they send each other. All
// sessions are up before the test begins, and ExpectUnharmed checks them. Peers
// may be silent for long here, since a busy machine does no harm. One thread.
//
//   BesiegedCluster besieged("zmq");
//   Stranger stranger("zmq", besieged.cluster().address(1));
//   stranger.SayBytes("garbage");
//   besieged.Exchange(100);
//   besieged.ExpectUnharmed();

#ifndef TESTS_HOSTILE_BESIEGED_CLUSTER_H_
#define TESTS_HOSTILE_BESIEGED_CLUSTER_H_

#include <cstddef>
#include <functional>
#include <string>

#include "tests/harness/delivery_ledger.h"
#include "tests/harness/envelope_source.h"
#include "tests/harness/test_cluster.h"
#include "tests/hostile/wire_tap.h"

namespace cluster::internal {

class BesiegedCluster {
 public:
  explicit BesiegedCluster(
      const std::string& backend,
      const std::function<void(Config*)>& change = [](Config*) {});

  TestCluster& cluster() { return *cluster_; }
  WireTap& tap() { return tap_; }

  // So many envelopes from each to each other, without waiting for them.
  void Send(int envelopes);
  // The same, until they have arrived and are acknowledged.
  void Exchange(int envelopes);

  // Exchanges envelopes until no more than so many files are open: a backend
  // may close them when it gets to it. False: it never does.
  bool WaitForFiles(int files);

  // All is up in the session that it began with, everything that was sent has
  // arrived once and in order, and the accounts add up.
  void ExpectUnharmed();

 private:
  WireTap tap_;
  DeliveryLedger ledger_;
  EnvelopeSource source_;
  std::unique_ptr<TestCluster> cluster_;
};

// How many files this process has open.
int OpenFiles();

}  // namespace cluster::internal

#endif  // TESTS_HOSTILE_BESIEGED_CLUSTER_H_
