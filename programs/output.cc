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

namespace cluster {
namespace {

constexpr char kClearLine[] = "\r\x1b[K";
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

Output::Output(int descriptor, std::string prompt, int interrupt)
    : descriptor_(descriptor),
      prompt_(std::move(prompt)),
      interrupt_(interrupt),
      broken_(NewEvent()),
      abandoned_(NewEvent()) {}

Output::~Output() {
  close(broken_);
  close(abandoned_);
}

void Output::Line(absl::string_view text) {
  internal::MutexLock lock(&mutex_);
  Write(absl::StrCat(prompted_ ? kClearLine : "", text, "\n",
                     prompted_ ? prompt_ : ""));
}

void Output::Prompt() {
  if (prompt_.empty()) return;
  internal::MutexLock lock(&mutex_);
  prompted_ = true;
  Write(prompt_);
}

void Output::HidePrompt() {
  if (prompt_.empty()) return;
  internal::MutexLock lock(&mutex_);
  if (prompted_) Write(kClearLine);
  prompted_ = false;
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
      Raise(broken_);
    }
  }
}

}  // namespace cluster
