// What the thread sanitizer is told not to report. Linked into whatever links
// libzmq, in builds with --config=tsan only; the sanitizer's runtime calls the
// function below at start-up.
//
// race:libzmq.so.5
//   Debian's libzmq is not instrumented. It hands messages between threads by
//   lock-free queues, whose atomic operations the sanitizer does not see; but
//   it does see the memcpy, malloc, free, send and recv that libzmq calls, and
//   takes both ends of a queue for a race. Only reports with a frame of libzmq
//   in one of the two stacks are silenced: what our threads do to each other is
//   reported as ever. What must be checked has to pass through a mutex of ours,
//   and not only through a ZeroMQ socket.

extern "C" const char* __tsan_default_suppressions();

extern "C" const char* __tsan_default_suppressions() {
  return "race:libzmq.so.5\n";
}
