// HostileCrowd: strangers without keys that keep a server's address busy.
//
// It holds a number of TCP connections and dials again whenever the server
// closes one. Half of them are silent, half send garbage of several kinds. It
// has a thread of its own.
//
//   HostileCrowd crowd({cluster.address(1)}, 300);
//   EXPECT_TRUE(crowd.WaitForConnections(300));

#ifndef TESTS_SECURITY_HOSTILE_CROWD_H_
#define TESTS_SECURITY_HOSTILE_CROWD_H_

#include <string>
#include <thread>
#include <vector>

#include "cluster/base/mutex.h"

namespace cluster::internal {

class HostileCrowd {
 public:
  HostileCrowd(std::vector<std::string> addresses, int connections);
  ~HostileCrowd();

  // Waits for at most a minute until they have connected so often in all.
  bool WaitForConnections(long count);

 private:
  struct Stranger {
    int fd = -1;
    std::string address;
    std::string says;
  };

  void Run();
  void LookWhoIsClosed();
  void Dial(Stranger* stranger);

  std::vector<Stranger> strangers_;
  Mutex mutex_;
  CondVar changed_;
  bool stopping_ = false;  // guarded by mutex_
  long connections_ = 0;   // guarded by mutex_
  std::thread thread_;
};

}  // namespace cluster::internal

#endif  // TESTS_SECURITY_HOSTILE_CROWD_H_
