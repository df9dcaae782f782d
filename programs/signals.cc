#include "programs/signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cluster/base/check.h"

namespace cluster {
namespace {

sigset_t EndingSignals(Hangup hangup) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  if (hangup == Hangup::kEnds) sigaddset(&set, SIGHUP);
  return set;
}

// Blocks the signals and makes them readable.
int Open(const sigset_t& set) {
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  const int descriptor = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  CLUSTER_CHECK(descriptor >= 0, "signalfd");
  return descriptor;
}

void TakeAll(int descriptor) {
  signalfd_siginfo taken;
  while (read(descriptor, &taken, sizeof(taken)) > 0) {
  }
}

}  // namespace

Signals::Signals(Hangup hangup) : hangup_(hangup) {
  signal(SIGPIPE, SIG_IGN);
  descriptor_ = Open(EndingSignals(hangup));
  if (hangup == Hangup::kEnds) return;
  sigset_t reload;
  sigemptyset(&reload);
  sigaddset(&reload, SIGHUP);
  reload_descriptor_ = Open(reload);
}

Signals::~Signals() {
  close(descriptor_);
  if (reload_descriptor_ >= 0) close(reload_descriptor_);
}

void Signals::TakeReload() { TakeAll(reload_descriptor_); }

bool Signals::Arrived() const {
  pollfd poll_for = {descriptor_, POLLIN, 0};
  return poll(&poll_for, 1, 0) > 0;
}

void Signals::Release() {
  TakeAll(descriptor_);
  const sigset_t set = EndingSignals(hangup_);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace cluster
