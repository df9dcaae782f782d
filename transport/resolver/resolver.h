// Resolver: looks host names up for every backend. So a backend dials and binds
// numbers only, and a name server that is slow or dead holds up nothing else.
//
// It reads the hosts file, then asks DNS for the addresses of both families.
// Other sources of names (mDNS, NIS) are not asked; the errors say so. Each
// look-up reads resolv.conf anew, and ends within kLookUpTime. One thread serves
// all look-ups of the process at the same time. It starts with the first one.
//
// Thread-safe. `done` runs on that thread, without a lock, and must not block.
// kNotFound: there is no such name, or it has no address. kUnavailable: the name
// servers do not answer, or not to the point.
//
//   Resolver& resolver = Resolver::OfProcess();
//   absl::StatusOr<Resolver::Ticket> ticket = resolver.Begin(
//       "db1.example", [](Resolver::Ticket, absl::StatusOr<Resolver::Hosts> hosts) {
//         ...
//       });
//   resolver.Cancel(*ticket);

#ifndef CLUSTER_TRANSPORT_RESOLVER_RESOLVER_H_
#define CLUSTER_TRANSPORT_RESOLVER_RESOLVER_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cluster/base/mutex.h"

namespace cluster::internal {

class Resolver {
 public:
  // Numbers, as in Address::host. The families take turns, so that one that is
  // out of order costs one attempt.
  using Hosts = std::vector<std::string>;
  using Ticket = std::uint64_t;  // of one look-up; not 0
  using Done = std::function<void(Ticket, absl::StatusOr<Hosts>)>;

  static constexpr std::chrono::seconds kLookUpTime{5};

  // Where DNS is. Only tests have another one.
  struct Source {
    std::string resolv_conf;  // the file; "": the system's
    std::uint16_t port = 0;   // of name servers; 0: the usual one
  };

  // The one of this process; a child of fork has its own.
  static Resolver& OfProcess();

  Resolver() = default;
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // Calls `done` once, later, unless cancelled. kResourceExhausted: the process
  // can have no more threads or descriptors.
  absl::StatusOr<Ticket> Begin(const std::string& host, Done done);
  // Does not wait: a call of `done` may be running. Ignores what has ended.
  void Cancel(Ticket ticket);

  // Waits for the result. Not from `done`.
  absl::StatusOr<Hosts> Find(const std::string& host);

  // For later look-ups.
  void SetSource(Source source);

 private:
  class LookUp;
  struct Asked {
    std::string host;
    Done done;
  };

  absl::Status StartLocked() CLUSTER_REQUIRES(mutex_);
  void Wake();
  void Run();
  // Begins what is new, and drops what is cancelled.
  void Adopt();
  void End(Ticket ticket, absl::StatusOr<Hosts> hosts);
  void WaitForNews();

  Mutex mutex_;
  Source source_ CLUSTER_GUARDED_BY(mutex_);
  Ticket last_ CLUSTER_GUARDED_BY(mutex_) = 0;
  // All that have not ended.
  std::map<Ticket, Asked> asked_ CLUSTER_GUARDED_BY(mutex_);
  bool started_ CLUSTER_GUARDED_BY(mutex_) = false;

  // Set before the thread starts.
  int epoll_fd_ = -1;
  int wake_fd_ = -1;
  // The thread's own.
  std::map<Ticket, std::unique_ptr<LookUp>> running_;
};

}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_RESOLVER_RESOLVER_H_
