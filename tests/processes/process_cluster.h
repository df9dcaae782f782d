// ProcessCluster: servers of one cluster, each in a process of its own.
//
// The processes learn each other's addresses. The test can kill -9 one, start
// its next life at the same address, and compare the journals of a pair. For
// servers in one process use TestCluster. One thread. The destructor kills the
// processes. Failures fail the running test.
//
//   ProcessCluster cluster({"nng", {1, 2, 3}});
//   ASSERT_TRUE(cluster.Start());
//   cluster[1].Say("flood 64 2 3");
//   cluster[2].AwaitArrivals(1000);
//   cluster[2].Kill();
//   ASSERT_TRUE(cluster.StartNextLife(2));
//   cluster.HaltAndFlush({1});

#ifndef TESTS_PROCESSES_PROCESS_CLUSTER_H_
#define TESTS_PROCESSES_PROCESS_CLUSTER_H_

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cluster/envelope.h"
#include "tests/harness/fresh_address.h"
#include "tests/processes/server_process.h"

namespace cluster::internal {

struct ProcessSpec {
  std::string transport;
  std::vector<int> ids;
  // More keys of the config, as JSON: "\"heartbeat_ms\": 50".
  std::string options;
  AddressKind address_kind = AddressKind::kIpv4;
  // The addresses of servers that do not listen at a fresh one.
  std::map<int, std::string> addresses;
  std::function<ServerProcess::Mode(int id)> mode;  // null: handlers
  // Called for each process before its server starts. False: it failed.
  std::function<bool(ServerProcess*)> before_start;
};

class ProcessCluster {
 public:
  explicit ProcessCluster(ProcessSpec spec);

  // Starts all servers, and waits until each has reported the others as up.
  bool Start();
  // Starts the next life of a server that is gone, at its address. Does not
  // wait for the others to see it. Keeps the journals of earlier lives.
  bool StartNextLife(int id);
  // Starts a further server, which all others add.
  bool Join(int id);

  ServerProcess& operator[](int id) { return *lives_.at(id).back(); }
  // All lives of a server, the first one first.
  const std::vector<std::unique_ptr<ServerProcess>>& Lives(int id) const {
    return lives_.at(id);
  }
  const std::string& address(int id) const { return addresses_.at(id); }
  std::vector<int> Others(int id) const;
  const std::vector<int>& ids() const { return spec_.ids; }

  // Ends these servers' sending, and waits until all is acknowledged and they
  // have reported.
  void HaltAndFlush(const std::vector<int>& ids);

  // Compares the present lives of two servers. The receiver must have taken all
  // that the sender sent to it alone, once and in order. Returns the problem.
  std::vector<std::string> DeliveryProblems(int sender, int receiver);

 private:
  bool StartProcess(int id);
  std::string ConfigText() const;

  ProcessSpec spec_;
  std::map<int, std::string> addresses_;
  std::map<int, std::vector<std::unique_ptr<ServerProcess>>> lives_;
};

}  // namespace cluster::internal

#endif  // TESTS_PROCESSES_PROCESS_CLUSTER_H_
