// ChildProcess: another program, or this one once more, and two pipes.
//
// What it is: fork and exec, lines to and from the child, and the certainty
// that it is gone with the object. What it is not: for a program that has
// threads already and needs them in the child.
//
// Threads: one at a time. Errors: kUnavailable with the system's reason; a
// program that cannot be run ends with exit code 127; a write to a child that
// is gone is ignored if SIGPIPE is, its end shows in what it says.
//
//   absl::StatusOr<std::unique_ptr<ChildProcess>> child =
//       ChildProcess::Start({"demo", "--server_id=2"});
//   (*child)->Say("report");

#ifndef PROGRAMS_CHILD_PROCESS_H_
#define PROGRAMS_CHILD_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "programs/line_reader.h"

namespace cluster {

class ChildProcess {
 public:
  // `arguments` as main gets them, the program's name first; `file` is the
  // program, by default this one.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(
      const std::vector<std::string>& arguments,
      const std::string& file = "/proc/self/exe");

  ~ChildProcess();  // kills
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  LineReader& lines() { return lines_; }      // what it says
  int descriptor() const { return output_; }  // to poll for that

  void Say(absl::string_view line);
  void EndInput();

  // Waits at most so long for its end, then kills it. Returns what became of
  // it: "" after exit code 0, else "killed by signal 9" and the like.
  std::string WaitForEnd(absl::Duration timeout);

 private:
  ChildProcess(pid_t pid, int input, int output);

  pid_t pid_;  // 0 once it is reaped
  int input_;  // -1 once it is closed
  const int output_;
  LineReader lines_;
  std::string end_;
};

}  // namespace cluster

#endif  // PROGRAMS_CHILD_PROCESS_H_
