#include "programs/output.h"

#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/base/check.h"
#include "programs/run_program.h"

namespace cluster {
namespace {

constexpr int kAbandonedWaitMs = 1000;

int NewEvent() {
  const int descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  CLUSTER_CHECK(descriptor >= 0, "eventfd");
  return descriptor;
}

void Raise(int event) {
  const eventfd_t one = 1;
  CLUSTER_CHECK(eventfd_write(event, one) == 0 || errno == EAGAIN, "eventfd");
}

}  // namespace

Output::Output(int descriptor, int interrupt)
    : descriptor_(descriptor),
      interrupt_(interrupt),
      broken_(NewEvent()),
      abandoned_(NewEvent()) {}

Output::~Output() {
  close(broken_);
  close(abandoned_);
}

void Output::Line(absl::string_view text) {
  internal::MutexLock lock(&mutex_);
  Write(absl::StrCat(footer_.hide, text, "\n", footer_.show));
}

void Output::Draw(absl::string_view drawing, Footer footer) {
  internal::MutexLock lock(&mutex_);
  Write(drawing);
  footer_ = std::move(footer);
}

void Output::Redraw() {
  internal::MutexLock lock(&mutex_);
  Write(footer_.show);
}

absl::Status Output::status() const {
  const int error = error_;
  return error == 0 ? absl::OkStatus() : OutputError(error);
}

void Output::Abandon() { Raise(abandoned_); }

// Waits until a write of PIPE_BUF bytes does not block. False: the reader
// counts as gone.
bool Output::WaitForRoom() const {
  pollfd polled[] = {{descriptor_, POLLOUT, 0},
                     {abandoned_, POLLIN, 0},
                     {interrupt_, POLLIN, 0}};
  while (poll(polled, 3, -1) < 0 && errno == EINTR) {
  }
  if (polled[0].revents != 0) return true;
  return poll(polled, 1, kAbandonedWaitMs) > 0;
}

void Output::Write(absl::string_view text) {
  while (open_ && !text.empty()) {
    if (!WaitForRoom()) {
      open_ = false;
      return;
    }
    const ssize_t bytes = write(descriptor_, text.data(),
                                std::min<std::size_t>(text.size(), PIPE_BUF));
    if (bytes > 0) {
      text.remove_prefix(static_cast<std::size_t>(bytes));
    } else if (errno != EINTR && errno != EAGAIN) {
      open_ = false;
      error_ = errno;
      Raise(broken_);
    }
  }
}

}  // namespace cluster
