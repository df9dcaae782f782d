// BesiegedCluster: three servers over one backend, for tests in which an
// attacker talks to them too.
//
// It has a tap on their wires and a ledger of their envelopes. All sessions are
// up before the test begins, and ExpectUnharmed checks them. Peers may be
// silent for long, so that a busy machine ends no session. One thread.
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

  // Sends `envelopes` from each server to each other, and does not wait.
  void Send(int envelopes);
  // The same, and waits until they have arrived and are acknowledged.
  void Exchange(int envelopes);

  // Exchanges envelopes until at most `files` are open, since a backend may
  // close them late. False: it does not.
  bool WaitForFiles(int files);

  // Checks that all are up in their first sessions, that all sent envelopes
  // arrived once and in order, and that the figures add up.
  void ExpectUnharmed();

 private:
  WireTap tap_;
  DeliveryLedger ledger_;
  EnvelopeSource source_;
  std::unique_ptr<TestCluster> cluster_;
};

// The number of open files of this process.
int OpenFiles();

}  // namespace cluster::internal

#endif  // TESTS_HOSTILE_BESIEGED_CLUSTER_H_
