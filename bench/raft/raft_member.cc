// One of three servers of canonical/raft, for raft.py.
//
//   raft_member ID SYSTEM FOLDER HOST
//
// SYSTEM is "libuv", canonical/raft's own TCP, or a transport of this library. It
// prints "address ADDRESS" and obeys these lines:
//
//   start 1=ADDRESS 2=...     with these servers; server 1 says "leads" once it does
//   run OUTSTANDING SECONDS   so many entries at a time; "ran ENTRIES SECONDS P50 P99"
//   cpu                       "cpu NANOSECONDS" of this process so far
//
// It ends at the end of its input.

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "bench/process_usage.h"
#include "bench/samples.h"
#include "cluster/base/check.h"
#include "cluster/server.h"
#include "examples/raft_library/cluster_io.h"
#include "programs/line_reader.h"

namespace cluster::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Apply = struct raft_apply;  // it is a function's name, too

constexpr std::size_t kLineBytesMax = 4096;
constexpr std::size_t kEntryBytes = 64;
// Server 1 stands first and alone. Once it leads, nobody is in a hurry.
constexpr unsigned kElectionMs = 500;
constexpr unsigned kElectionOfOthersMs = 60000;
constexpr unsigned kNoSnapshots = 1u << 30;

void Say(const std::string& line) { std::cout << line << std::endl; }

void Check(int error, const char* what) {
  CLUSTER_CHECK(error == 0,
                absl::StrCat(what, ": ", raft_strerror(error)).c_str());
}

template <typename Number>
Number NumberOf(absl::string_view word) {
  Number number{};
  CLUSTER_CHECK(absl::SimpleAtoi(word, &number), std::string(word).c_str());
  return number;
}

// The raft_io of one system, and where it listens.
class System {
 public:
  virtual ~System() = default;
  virtual raft_io* io() = 0;
  virtual std::string address() const = 0;
  virtual void Run() = 0;
};

// raft_uv cannot take any port, so this one takes a free one of the host.
class Libuv : public System {
 public:
  Libuv(uv_loop_t* loop, const std::string& folder, const std::string& host)
      : loop_(loop), address_(absl::StrCat(host, ":", FreePort(host))) {
    Check(raft_uv_tcp_init(&transport_, loop), "raft_uv_tcp_init");
    Check(raft_uv_init(&io_, loop, folder.c_str(), &transport_),
          "raft_uv_init");
    raft_uv_set_connect_retry_delay(&io_, 50);
  }
  raft_io* io() override { return &io_; }
  std::string address() const override { return address_; }
  void Run() override { uv_run(loop_, UV_RUN_DEFAULT); }

 private:
  static int FreePort(const std::string& host) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    socklen_t length = sizeof(address);
    address.sin_family = AF_INET;
    inet_pton(AF_INET, host.c_str(), &address.sin_addr);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    CLUSTER_CHECK(bind(fd, any, length) == 0, "bind");
    CLUSTER_CHECK(getsockname(fd, any, &length) == 0, "getsockname");
    close(fd);
    return ntohs(address.sin_port);
  }

  uv_loop_t* const loop_;
  const std::string address_;
  raft_uv_transport transport_{};
  raft_io io_{};
};

class Cluster : public System {
 public:
  Cluster(uv_loop_t* loop, const std::string& folder, int id,
          const std::string& transport, const std::string& host) {
    Config config;
    config.transport = transport;
    config.servers = {{id, absl::StrCat(host, ":0")}};
    config.on_peer_restart = OnPeerRestart::kDrop;
    auto server = NewServer(id, config);
    CLUSTER_CHECK(server.ok(), server.status().ToString().c_str());
    server_ = *std::move(server);
    auto io = raft_library::ClusterIo::New(loop, folder, server_.get());
    CLUSTER_CHECK(io.ok(), io.status().ToString().c_str());
    io_ = *std::move(io);
    const absl::Status started = server_->Start();
    CLUSTER_CHECK(started.ok(), started.ToString().c_str());
  }
  raft_io* io() override { return io_.get(); }
  std::string address() const override { return server_->Address(); }
  void Run() override { io_->Run(); }

 private:
  std::unique_ptr<Server> server_;
  std::unique_ptr<raft_library::ClusterIo> io_;
};

class Member {
 public:
  Member(uv_loop_t* loop, int id, std::unique_ptr<System> system)
      : id_(id),
        system_(std::move(system)),
        input_(STDIN_FILENO, kLineBytesMax) {
    fsm_.version = 1;
    fsm_.apply = [](raft_fsm*, const raft_buffer*, void** result) {
      *result = nullptr;
      return 0;
    };
    Check(raft_init(&raft_, system_->io(), &fsm_, static_cast<raft_id>(id),
                    system_->address().c_str()),
          "raft_init");
    raft_set_election_timeout(&raft_,
                              id == 1 ? kElectionMs : kElectionOfOthersMs);
    raft_set_snapshot_threshold(&raft_, kNoSnapshots);
    uv_poll_init(loop, &stdin_, STDIN_FILENO);
    uv_check_init(loop, &turn_);
    stdin_.data = turn_.data = this;
    uv_poll_start(&stdin_, UV_READABLE, [](uv_poll_t* handle, int, int) {
      static_cast<Member*>(handle->data)->Read();
    });
    Say(absl::StrCat("address ", system_->address()));
  }

  void Run() { system_->Run(); }

 private:
  struct Entry {
    Apply apply{};
    Member* member = nullptr;
    Clock::time_point begun;
  };

  void Read() {
    input_.Fill();
    std::string line;
    while (input_.Next(&line)) Obey(absl::StrSplit(line, ' '));
    if (input_.ended()) _exit(0);
  }

  void Obey(const std::vector<std::string>& words) {
    if (words[0] == "start") {
      Start(words);
    } else if (words[0] == "run") {
      Run(NumberOf<unsigned>(words.at(1)), std::stod(words.at(2)));
    } else if (words[0] == "cpu") {
      Say(absl::StrCat("cpu ", ProcessCpuNs()));
    }
  }

  void Start(const std::vector<std::string>& words) {
    raft_configuration configuration;
    raft_configuration_init(&configuration);
    for (std::size_t i = 1; i < words.size(); ++i) {
      const std::vector<std::string> server = absl::StrSplit(words[i], '=');
      Check(raft_configuration_add(&configuration,
                                   NumberOf<raft_id>(server.at(0)),
                                   server.at(1).c_str(), RAFT_VOTER),
            "raft_configuration_add");
    }
    Check(raft_bootstrap(&raft_, &configuration), "raft_bootstrap");
    raft_configuration_close(&configuration);
    Check(raft_start(&raft_), "raft_start");
    if (id_ != 1) return;
    uv_check_start(&turn_, [](uv_check_t* handle) {
      static_cast<Member*>(handle->data)->SayThatItLeads();
    });
  }

  void SayThatItLeads() {
    if (raft_state(&raft_) != RAFT_LEADER) return;
    uv_check_stop(&turn_);
    raft_set_election_timeout(&raft_, kElectionOfOthersMs);
    Say("leads");
  }

  void Run(unsigned outstanding, double seconds) {
    samples_.Clear();
    begun_ = Clock::now();
    end_ = begun_ + std::chrono::duration_cast<Clock::duration>(
                        std::chrono::duration<double>(seconds));
    for (outstanding_ = 0; outstanding_ < outstanding; ++outstanding_) {
      auto* const entry = new Entry;
      entry->member = this;
      Submit(entry);
    }
  }

  void Submit(Entry* entry) {
    raft_buffer buffer{};
    buffer.len = kEntryBytes;
    buffer.base = raft_calloc(1, kEntryBytes);
    entry->begun = Clock::now();
    entry->apply.data = entry;
    Check(raft_apply(&raft_, &entry->apply, &buffer, 1,
                     [](Apply* apply, int status, void*) {
                       Check(status, "raft_apply");
                       auto* const done = static_cast<Entry*>(apply->data);
                       done->member->OnCommitted(done);
                     }),
          "raft_apply");
  }

  void OnCommitted(Entry* entry) {
    const Clock::time_point now = Clock::now();
    if (now < end_) {
      samples_.Add(now - entry->begun);
      Submit(entry);
      return;
    }
    delete entry;
    if (--outstanding_ > 0) return;
    const std::chrono::duration<double> took = end_ - begun_;
    Say(absl::StrFormat("ran %d %.6f %.1f %.1f", samples_.size(), took.count(),
                        samples_.PercentileUs(0.5),
                        samples_.PercentileUs(0.99)));
  }

  const int id_;
  const std::unique_ptr<System> system_;
  raft_fsm fsm_{};
  raft raft_{};
  uv_poll_t stdin_{};
  uv_check_t turn_{};
  LineReader input_;
  unsigned outstanding_ = 0;
  Clock::time_point begun_;
  Clock::time_point end_;
  Samples samples_;
};

int Main(int id, const std::string& name, const std::string& folder,
         const std::string& host) {
  uv_loop_t loop;
  uv_loop_init(&loop);
  std::unique_ptr<System> system;
  if (name == "libuv") {
    system = std::make_unique<Libuv>(&loop, folder, host);
  } else {
    system = std::make_unique<Cluster>(&loop, folder, id, name, host);
  }
  Member(&loop, id, std::move(system)).Run();
  return 0;
}

}  // namespace
}  // namespace cluster::bench

int main(int argc, char** argv) {
  CLUSTER_CHECK(argc == 5, "usage: raft_member ID SYSTEM FOLDER HOST");
  return cluster::bench::Main(cluster::bench::NumberOf<int>(argv[1]), argv[2],
                              argv[3], argv[4]);
}
