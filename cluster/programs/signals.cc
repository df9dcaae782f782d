#include "cluster/programs/signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "transport/check.h"

namespace cluster {
namespace {

sigset_t EndingSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGHUP);
  return set;
}

}  // namespace

Signals::Signals() {
  signal(SIGPIPE, SIG_IGN);
  const sigset_t set = EndingSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  descriptor_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  CLUSTER_CHECK(descriptor_ >= 0, "signalfd");
}

Signals::~Signals() { close(descriptor_); }

bool Signals::Arrived() const {
  pollfd poll_for = {descriptor_, POLLIN, 0};
  return poll(&poll_for, 1, 0) > 0;
}

void Signals::Release() {
  signalfd_siginfo taken;
  while (read(descriptor_, &taken, sizeof(taken)) > 0) {
  }
  const sigset_t set = EndingSignals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace cluster
