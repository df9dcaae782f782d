// TcpProxy: a stretch of bad network in front of one address.
//
// It listens on a port of its own and passes each connection on to the target,
// byte by byte. On demand it resets, stalls, swallows, delays or slows them, or
// leaves them half open. One proxy serves one ordered pair of servers: give its
// address to the dialler's AddPeer. TCP over IPv4 only.
//
// Thread-safe: a thread of its own does the work, and each call waits for it.
// Destroy the proxy after the servers that dial it. If the target refuses a
// connection, the proxy resets the dialler's. Other failures abort.
//
//   TcpProxy proxy(server2.Address());
//   server1.AddPeer(2, proxy.address());
//   proxy.Cut(CutBy::kReset);             // bytes on their way are lost
//   NetworkConditions hole;
//   hole.swallows[static_cast<int>(Way::kForward)] = true;
//   proxy.Set(hole);                      // 2 hears nothing of 1 any more
//   proxy.Set({});                        // all is well again

#ifndef TESTS_HARNESS_TCP_PROXY_H_
#define TESTS_HARNESS_TCP_PROXY_H_

#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "cluster/base/mutex.h"
#include "tests/harness/network_conditions.h"
#include "tests/harness/proxied_connection.h"

namespace cluster::internal {

class TcpProxy {
 public:
  // `target` is "host:port" with a numeric host.
  explicit TcpProxy(const std::string& target);
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  const std::string& address() const { return address_; }

  // Applies to all connections, present and future.
  void Set(const NetworkConditions& conditions);

  // Ends at most `connections`, the oldest first.
  void Cut(CutBy how, int connections = std::numeric_limits<int>::max());
  // Ends all connections, by RST or FIN at random, again and again until
  // CutNoMore. Waits for `least` to `most` before each time.
  void CutEvery(absl::Duration least, absl::Duration most, std::uint64_t seed);
  void CutNoMore();
  // Ends the next `cuts` connections, each when it has carried exactly `bytes`
  // (at least 1) that way. One that ends earlier does not count.
  void CutAfter(Way way, std::uint64_t bytes, CutBy how, int cuts);
  // Resets one side of all connections, and the other does not notice. Bytes on
  // their way to the other side still arrive.
  void Lose(Side side);

  // Records the first `bytes` forward bytes of each future connection.
  void Record(std::size_t bytes);
  std::vector<Recording> Recordings();
  // Sends the recording to the target again, on a new connection that stays
  // until the target ends it.
  void Replay(Recording recording);

  ProxyFigures Figures();
  // Waits until `condition` holds; false after a minute.
  bool WaitUntil(const std::function<bool(const ProxyFigures&)>& condition);

 private:
  using Clock = ProxiedConnection::Clock;

  void Do(const std::function<void()>& task);
  void Loop();
  void RunTask();
  void Watch(std::vector<pollfd>* watched, Clock::time_point now) const;
  int TimeoutMs(Clock::time_point now) const;
  void Move(const std::vector<pollfd>& watched);
  void Accept();
  void CutIfDue(Clock::time_point now);
  int DialTarget() const;
  void Publish();

  const std::string target_;
  const int listener_;
  const int wake_;
  std::string address_;

  mutable Mutex mutex_;
  CondVar changed_;
  const std::function<void()>* task_ = nullptr;  // guarded by mutex_
  bool stopping_ = false;                        // guarded by mutex_
  ProxyFigures published_;                       // guarded by mutex_

  // For the thread only.
  NetworkConditions conditions_;
  ProxyFigures figures_;
  std::vector<std::unique_ptr<ProxiedConnection>> connections_;
  std::size_t record_bytes_ = 0;
  std::vector<Recording> recordings_;  // of connections that are gone
  Way cut_way_ = Way::kForward;
  std::uint64_t cut_bytes_ = 0;
  CutBy cut_by_ = CutBy::kReset;
  int cuts_left_ = 0;
  Clock::time_point cut_at_ = Clock::time_point::max();
  absl::Duration cut_least_, cut_most_;
  std::mt19937_64 random_;

  std::thread thread_;
};

}  // namespace cluster::internal

#endif  // TESTS_HARNESS_TCP_PROXY_H_
