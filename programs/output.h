// Output: whole lines to standard output from any thread, around a prompt.
//
// What it is: lines that are never mixed, a prompt on a terminal that arrivals
// do not garble, and writes that end when nobody reads any more. What it is
// not: a log.
//
// Threads: Line and Prompt from any thread; they wait while the reader of
// standard output does not read; after Abandon
// for at most a second, once. Errors: once the reader is
// gone, `broken()` becomes readable and lines are dropped.
//
//   cluster::Output output(STDOUT_FILENO, "1> ", signals.descriptor());
//   output.Line("server 1 at 127.0.0.1:10001");

#ifndef PROGRAMS_OUTPUT_H_
#define PROGRAMS_OUTPUT_H_

#include <string>

#include "absl/strings/string_view.h"
#include "cluster/base/mutex.h"

namespace cluster {

class Output {
 public:
  // An empty prompt is none. When `interrupt` is readable, it is as after
  // Abandon.
  Output(int descriptor, std::string prompt, int interrupt);
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // Writes `text` and a newline.
  void Line(absl::string_view text);

  // Shows the prompt again: the user has ended a line.
  void Prompt();
  // Takes the prompt away: no more lines are read.
  void HidePrompt();

  // From now on a reader that does not read for a second is taken for gone.
  void Abandon();

  // A descriptor that is readable once the reader of the output is gone.
  int broken() const { return broken_; }

 private:
  void Write(absl::string_view text) CLUSTER_REQUIRES(mutex_);
  bool WaitForRoom() const;

  const int descriptor_;
  const std::string prompt_;
  const int interrupt_;
  int broken_;
  int abandoned_;
  Mutex mutex_;  // also guards what is on the screen
  bool prompted_ CLUSTER_GUARDED_BY(mutex_) = false;
  bool open_ CLUSTER_GUARDED_BY(mutex_) = true;
};

}  // namespace cluster

#endif  // PROGRAMS_OUTPUT_H_
