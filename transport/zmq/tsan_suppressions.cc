// The thread sanitizer's suppressions for libzmq. Linked into everything that
// links libzmq, in builds with --config=tsan only. The sanitizer's runtime
// calls the function below at start-up.
//
// Debian's libzmq is not instrumented. It hands messages between threads by
// lock-free queues, whose atomic operations the sanitizer does not see. It does
// see the malloc, memcpy, send and recv that libzmq calls. So both ends of a
// queue look like a race.
//
// called_from_lib:libzmq.so.5
//   Calls of libzmq are left unchecked. Without this every word of every frame
//   would be a report to be suppressed, which is so slow that large frames seem
//   to be stuck.
//
// called_from_lib:libsodium.so
//   The same: with CURVE, libsodium writes the bytes of a message, on libzmq's
//   thread.
//
// called_from_lib:libpgm
//   libzmq starts and ends it with every context, and nobody uses it. It counts
//   its users by atomics of its own.
//
// race:closedir, race:OpenFile::~OpenFile
//   The sanitizer follows descriptors by their numbers. It does not see that
//   libzmq closed one, and that opendir or openat got the same number. So it
//   takes our epoll_ctl on the one and the close of the other for a race.
//
// It reports races between our threads as ever, also in functions of ours that
// libzmq calls. So order such accesses by a mutex or an atomic of ours: a
// socket alone is not enough.

extern "C" const char* __tsan_default_suppressions();

extern "C" const char* __tsan_default_suppressions() {
  return "called_from_lib:libzmq.so.5\n"
         "called_from_lib:libsodium.so\n"
         "called_from_lib:libpgm\n"
         "race:closedir\n"
         "race:OpenFile::~OpenFile\n";
}
