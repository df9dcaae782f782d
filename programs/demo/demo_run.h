// DemoRun: the parent of the demo's servers.
//
// It starts a process for each server, gives each the addresses of the others,
// runs the scenarios one after the other and collects the counts. No envelope
// passes through it. It forks, so its thread must be the only one of the
// process. Run returns the first error and names its server.
//
//   DemoRun run({1, 2, 3}, arguments, 20000, absl::Seconds(20));
//   absl::Status status = run.Run(signals.descriptor());
//   for (const ScenarioResult& result : run.results()) ...

#ifndef PROGRAMS_DEMO_DEMO_RUN_H_
#define PROGRAMS_DEMO_DEMO_RUN_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "programs/child_process.h"
#include "programs/demo/scenario.h"
#include "programs/demo/tally.h"

namespace cluster {
namespace demo {

struct ScenarioResult {
  bool run = false;  // whether it began
  Tally tally;       // of all servers
  std::uint64_t expected = 0;
  absl::Duration took;  // from its start to the last arrival
};

class DemoRun {
 public:
  // Each server's process gets `arguments`. Each scenario has `rounds`. The run
  // fails when no server reports anything for `standstill`.
  DemoRun(std::vector<int> ids, std::vector<std::string> arguments,
          std::uint64_t rounds, absl::Duration standstill);

  // Runs all scenarios. Ends early, with an error, when a server fails, ends or
  // is silent, and when `interrupt` becomes readable.
  absl::Status Run(int interrupt);

  // The results by scenario, also after an error.
  const std::vector<ScenarioResult>& results() const { return results_; }

 private:
  struct Child {
    int id = 0;
    std::unique_ptr<ChildProcess> process;
    std::string address;
    bool connected = false;
    std::set<std::size_t> sent;  // scenarios
    std::set<std::size_t> received;
    std::uint64_t progress = 0;
    bool reported = false;
  };

  absl::Status StartAll();
  absl::Status Introduce();
  absl::Status RunScenario(const Scenario& scenario);
  absl::Status Collect(absl::Duration timeout);
  absl::Status EndAll();

  // Reads the children's reports until `done` holds for each child. An error if
  // none comes for `timeout`; its text says `what` they should have done.
  absl::Status WaitUntil(const char* what, absl::Duration timeout,
                         const std::function<bool(const Child&)>& done);
  absl::Status Poll(absl::Duration timeout, bool* heard);
  absl::Status Listen(Child* child);
  absl::Status Take(const std::string& line, Child* child);
  void ShowProgress();

  const std::vector<int> ids_;
  const std::vector<std::string> arguments_;
  const absl::Duration standstill_;
  const bool terminal_;  // show progress
  int interrupt_ = -1;
  std::vector<Child> children_;
  std::vector<ScenarioResult> results_;
  const Scenario* running_ = nullptr;
};

}  // namespace demo
}  // namespace cluster

#endif  // PROGRAMS_DEMO_DEMO_RUN_H_
