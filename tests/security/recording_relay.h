// RecordingRelay: a man in the middle who passes everything on, and keeps what
// the dialling side says.
//
// What it is: one TCP connection relayed, to an address of 127/8. What it is
// not: a proxy for many connections, or one that delays or cuts.
//
// Threads: one of its own. Errors: failed expectations.
//
//   RecordingRelay relay(cluster.address(1));
//   ... somebody dials relay.address() and is heard ...
//   std::string said = relay.Stop();

#ifndef TESTS_SECURITY_RECORDING_RELAY_H_
#define TESTS_SECURITY_RECORDING_RELAY_H_

#include <atomic>
#include <string>
#include <thread>

namespace cluster {

class RecordingRelay {
 public:
  explicit RecordingRelay(const std::string& to);
  ~RecordingRelay() { Stop(); }

  const std::string& address() const { return address_; }
  // Closes the connection; what the dialling side had said.
  std::string Stop();

 private:
  void Run(const std::string& to);

  int listener_ = -1;
  std::string address_;
  std::atomic<bool> stopping_{false};
  std::string said_;
  std::thread thread_;
};

}  // namespace cluster

#endif  // TESTS_SECURITY_RECORDING_RELAY_H_
