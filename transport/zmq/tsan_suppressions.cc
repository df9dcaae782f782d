// What the thread sanitizer is told about libzmq. Linked into whatever links
// libzmq, in builds with --config=tsan only; the sanitizer's runtime calls the
// function below at start-up.
//
// Debian's libzmq is not instrumented. It hands messages between threads by
// lock-free queues, whose atomic operations the sanitizer does not see; but it
// does see the malloc, memcpy, send and recv that libzmq calls, and takes both
// ends of a queue for a race.
//
// called_from_lib:libzmq.so.5
//   What libzmq itself calls is left unchecked. Without this every word of
//   every frame would be a report to be suppressed, which is so slow that
//   large frames seem to be stuck.
//
// called_from_lib:libsodium.so
//   The same of what libzmq has done by it: with CURVE the bytes of a message
//   are written by libsodium, on libzmq's thread.
//
// called_from_lib:libpgm
//   libzmq starts and ends it with every context, and nobody uses it. It counts
//   its users by atomics of its own.
//
// race:closedir
//   It follows descriptors by their numbers. That libzmq closed one goes unseen,
//   and so does that std::filesystem got the same number for a folder: what it
//   sees is our epoll_ctl on the one and closedir on the other.
//
// What our threads do to each other is reported as ever, also in functions of
// ours that libzmq calls: what is to be ordered has to pass through a mutex or
// an atomic of ours, and not only through a socket.

extern "C" const char* __tsan_default_suppressions();

extern "C" const char* __tsan_default_suppressions() {
  return "called_from_lib:libzmq.so.5\n"
         "called_from_lib:libsodium.so\n"
         "called_from_lib:libpgm\n"
         "race:closedir\n";
}
