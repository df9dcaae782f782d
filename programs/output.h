// Output: writes whole lines to standard output from any thread, above a footer.
//
// Lines never mix. On a terminal the footer is a prompt and the text that the
// user types: each line takes its place, and it follows anew. Calls wait while
// the reader of standard output does not read; after Abandon for at most a
// second, once. When nothing can be written any more, `broken()` becomes
// readable, `status()` says why, and lines are dropped.
//
//   cluster::Output output(STDOUT_FILENO, signals.descriptor());
//   output.Line("server 1 at 127.0.0.1:10001");

#ifndef PROGRAMS_OUTPUT_H_
#define PROGRAMS_OUTPUT_H_

#include <atomic>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cluster/base/mutex.h"

namespace cluster {

// How to remove what is below the lines of a terminal, and how to show it again
// with the cursor at its place. Both empty: nothing is there.
struct Footer {
  std::string hide;
  std::string show;
};

class Output {
 public:
  // A readable `interrupt` acts like Abandon.
  Output(int descriptor, int interrupt);
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // Writes `text` and a newline.
  void Line(absl::string_view text);

  // Writes `drawing`, after which the screen has this footer.
  void Draw(absl::string_view drawing, Footer footer);
  // Shows the footer again, at a place that somebody else has written to.
  void Redraw();

  // From now on a reader that does not read for a second counts as gone.
  void Abandon();

  // A descriptor that is readable once nothing can be written any more.
  int broken() const { return broken_; }
  // Why. OK if the reader has gone, as that of a pipe does. Never waits.
  absl::Status status() const;

 private:
  void Write(absl::string_view text) CLUSTER_REQUIRES(mutex_);
  bool WaitForRoom() const;

  const int descriptor_;
  const int interrupt_;
  int broken_;
  int abandoned_;
  mutable internal::Mutex mutex_;  // also guards what is on the screen
  Footer footer_ CLUSTER_GUARDED_BY(mutex_);
  bool open_ CLUSTER_GUARDED_BY(mutex_) = true;
  std::atomic<int> error_{0};  // of the write that failed
};

}  // namespace cluster

#endif  // PROGRAMS_OUTPUT_H_
