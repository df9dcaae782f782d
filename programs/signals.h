// Signals: SIGINT, SIGTERM and SIGHUP as descriptors to poll.
//
// It blocks the three signals and reads them from a descriptor (signalfd), so
// nothing runs in a signal handler. It ignores SIGPIPE, so a closed pipe is an
// error code. SIGINT and SIGTERM ask for an end. SIGHUP does too, or asks for a
// reload on a descriptor of its own.
//
// For programs: make it before any other thread, since threads inherit the
// signal mask. A failure aborts.
//
//   cluster::Signals signals;
//   pollfd poll = {signals.descriptor(), POLLIN, 0};

#ifndef PROGRAMS_SIGNALS_H_
#define PROGRAMS_SIGNALS_H_

namespace cluster {

enum class Hangup { kEnds, kReloads };

class Signals {
 public:
  explicit Signals(Hangup hangup = Hangup::kEnds);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // Readable while a signal that asks for an end is pending.
  int descriptor() const { return descriptor_; }

  // Whether one of them has arrived.
  bool Arrived() const;

  // Readable from a SIGHUP that asks for a reload until TakeReload. It is -1,
  // which poll ignores, if SIGHUP asks for an end.
  int reload_descriptor() const { return reload_descriptor_; }
  void TakeReload();

  // From now on a further signal ends the process at once. Call it when an
  // orderly end has begun, so that the user can hurry it.
  void Release();

 private:
  const Hangup hangup_;
  int descriptor_;
  int reload_descriptor_ = -1;
};

}  // namespace cluster

#endif  // PROGRAMS_SIGNALS_H_
