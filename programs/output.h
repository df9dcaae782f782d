// Output: writes whole lines to standard output from any thread, around a
// prompt.
//
// Lines never mix, and arrivals do not garble a prompt on a terminal. Line and
// Prompt wait while the reader of standard output does not read; after Abandon
// for at most a second, once. When the reader is gone, `broken()` becomes
// readable and Line drops its text.
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
  // Without a prompt if it is empty. A readable `interrupt` acts like Abandon.
  Output(int descriptor, std::string prompt, int interrupt);
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // Writes `text` and a newline.
  void Line(absl::string_view text);

  // Shows the prompt again: the user has ended a line.
  void Prompt();
  // Removes the prompt, when the program reads no more lines.
  void HidePrompt();

  // From now on a reader that does not read for a second counts as gone.
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
  internal::Mutex mutex_;  // also guards what is on the screen
  bool prompted_ CLUSTER_GUARDED_BY(mutex_) = false;
  bool open_ CLUSTER_GUARDED_BY(mutex_) = true;
};

}  // namespace cluster

#endif  // PROGRAMS_OUTPUT_H_
