// Signals: SIGINT, SIGTERM and SIGHUP as something to poll for.
//
// What it is: the three signals blocked and readable from a descriptor
// (signalfd), so nothing runs in a signal handler, and SIGPIPE ignored, so a
// closed pipe is an error code. What it is not: for libraries; a program makes
// one, first of all.
//
// Threads: made before any other thread, which inherit what is blocked.
// Errors: none that a caller could act on; a failure aborts.
//
//   cluster::Signals signals;
//   pollfd poll = {signals.descriptor(), POLLIN, 0};

#ifndef CLUSTER_PROGRAMS_SIGNALS_H_
#define CLUSTER_PROGRAMS_SIGNALS_H_

namespace cluster {

class Signals {
 public:
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // Readable while a signal is pending.
  int descriptor() const { return descriptor_; }

  // Whether one of them has arrived.
  bool Arrived() const;

  // From now on a further signal ends the process at once: an orderly end has
  // begun, and this is how somebody hurries it.
  void Release();

 private:
  int descriptor_;
};

}  // namespace cluster

#endif  // CLUSTER_PROGRAMS_SIGNALS_H_
