// Runs a statement in a process of its own, by EXPECT_EXIT in gtest's
// "threadsafe" style.
//
// The process is fresh, and may end in any way. gtest's expectations do not
// reach the parent. Use Require and RequireOk there: they end the process with
// a text.
//
//   GTEST_FLAG_SET(death_test_style, "threadsafe");
//   EXPECT_EXIT(
//       {
//         auto one = MakeServer(1, config);
//         RequireOk(one->Start(), "Start");
//         std::exit(0);
//       },
//       testing::ExitedWithCode(0), "");

#ifndef TESTS_PROCESSES_OWN_PROCESS_H_
#define TESTS_PROCESSES_OWN_PROCESS_H_

#include <sys/types.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cluster/config.h"
#include "cluster/server.h"

namespace cluster::internal {

// One way to run a server.
struct Backend {
  std::string name;
  std::string transport;
  bool secured = false;
  bool share_context = false;
};
std::ostream& operator<<(std::ostream& out, const Backend& backend);
// The backends that reach other processes.
std::vector<Backend> RealBackends();

// The config of servers 1, 2 and 3 on free ports, with keys if secured.
Config ConfigOf(const Backend& backend);

inline constexpr absl::Duration kPatience = absl::Seconds(60);

void Require(bool holds, absl::string_view what);
void RequireOk(const absl::Status& status, absl::string_view what);

std::unique_ptr<Server> MakeServer(int id, const Config& config);
// Adds each server to the other as a peer.
void Introduce(Server* one, Server* other);
void SendText(Server* from, int pid, const std::string& text);
// Waits for the next envelope, which must have this text.
Envelope AwaitText(Server* at, absl::string_view text);
// Sends one envelope each way.
void Exchange(Server* one, Server* other);

// Runs `run` in a forked child, which then ends with _exit(0).
pid_t Fork(const std::function<void()>& run);
// Waits until the child ends. `end` is "" for exit code 0, or "signal 6".
void RequireEnd(pid_t child, absl::string_view end);

// Lines from one process to another.
class Pipe {
 public:
  Pipe();
  ~Pipe();
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  void Say(const std::string& line);
  std::string Hear();

 private:
  int ends_[2];
};

}  // namespace cluster::internal

#endif  // TESTS_PROCESSES_OWN_PROCESS_H_
