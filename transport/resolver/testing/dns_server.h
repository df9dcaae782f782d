// DnsServer: a name server of a test, on loopback, that the resolver of this
// process asks while it exists.
//
// It denies every name that the test did not set. It can also be silent, late,
// broken or empty, send chains of aliases, and cut its answers so that they are
// asked for by TCP. Thread-safe. Failures are failed expectations.
//
//   DnsServer dns;
//   dns.Set("db.test", {"127.0.0.1", "::1"});
//   dns.Set("lost.test", DnsServer::kSilence);
//   EXPECT_TRUE(dns.AwaitQuestions("lost.test", 1));

#ifndef CLUSTER_TRANSPORT_RESOLVER_TESTING_DNS_SERVER_H_
#define CLUSTER_TRANSPORT_RESOLVER_TESTING_DNS_SERVER_H_

#include <netinet/in.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/string_view.h"
#include "cluster/base/mutex.h"

namespace cluster::internal {

class DnsServer {
 public:
  enum Trouble {
    kSilence,       // questions vanish
    kSilenceForV6,  // only those for IPv6 addresses do
    kHeld,          // answers wait until the trouble ends
    kTruncated,     // answers by UDP are empty and marked as cut
    kMalformed,     // answers end in the middle
    kServFail,      // and the other codes of DNS
    kRefused,
    kNone,
  };

  DnsServer();
  DnsServer(const DnsServer&) = delete;
  DnsServer& operator=(const DnsServer&) = delete;
  ~DnsServer();

  // From here on the name has these addresses, of both families. With none it
  // is there, and empty.
  void Set(const std::string& name, std::vector<std::string> addresses);
  void SetAlias(const std::string& name, const std::string& of);
  // The name is in trouble; its addresses stay.
  void Set(const std::string& name, Trouble trouble);
  // Denies it again.
  void Remove(const std::string& name);
  // All names are in silence.
  void SetDark(bool dark);

  // Questions so far, of both families. Those in silence count.
  int questions(const std::string& name) const;
  // Waits for at most 30 s.
  bool AwaitQuestions(const std::string& name, int count) const;

  std::uint16_t port() const { return port_; }
  // A resolv.conf that names this server.
  const std::string& resolv_conf() const { return resolv_conf_; }

 private:
  struct Name {
    bool known = false;
    std::vector<std::string> addresses;
    std::string alias;
    Trouble trouble = kNone;
    int questions = 0;
  };
  struct Question {
    std::string bytes;  // the whole packet
    sockaddr_in from{};
    std::string name;
    std::uint16_t type = 0;
    std::size_t end = 0;  // of the question, in bytes
  };

  void Run();
  void ServeUdp();
  void ServeTcp();
  // "": no answer.
  std::string Answer(Question question, bool by_tcp);
  std::string Records(const Question& question, int* count, bool* denied) const
      CLUSTER_REQUIRES(mutex_);
  void Wake() const;

  int udp_ = -1;
  int tcp_ = -1;
  int wake_ = -1;
  std::uint16_t port_ = 0;
  std::string resolv_conf_;

  mutable Mutex mutex_;
  mutable CondVar asked_;
  std::map<std::string, Name> names_ CLUSTER_GUARDED_BY(mutex_);
  std::vector<Question> held_ CLUSTER_GUARDED_BY(mutex_);
  bool dark_ CLUSTER_GUARDED_BY(mutex_) = false;
  bool stopping_ CLUSTER_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_RESOLVER_TESTING_DNS_SERVER_H_
