#include "programs/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace cluster {
namespace {

constexpr std::size_t kLineBytesMax = 4096;

absl::Status SystemError(const char* call) {
  return absl::UnavailableError(absl::StrCat(call, ": ", strerror(errno)));
}

// Runs in the child, between fork and exec, so it makes system calls only. The
// child ignores interrupts from the terminal; the parent handles them.
[[noreturn]] void BecomeChild(const char* file, int input, int output,
                              char* const* arguments) {
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  signal(SIGINT, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execv(file, arguments);
  _exit(127);
}

std::string Describe(int status) {
  if (WIFSIGNALED(status))
    return absl::StrCat("killed by signal ", WTERMSIG(status));
  if (WEXITSTATUS(status) != 0)
    return absl::StrCat("exit code ", WEXITSTATUS(status));
  return "";
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(
    const std::vector<std::string>& arguments, const std::string& file) {
  std::vector<char*> pointers;
  for (const std::string& argument : arguments)
    pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);

  int input[2];
  int output[2];
  if (pipe2(input, O_CLOEXEC) != 0) return SystemError("pipe2");
  if (pipe2(output, O_CLOEXEC) != 0) {
    const absl::Status status = SystemError("pipe2");
    close(input[0]);
    close(input[1]);
    return status;
  }
  const pid_t pid = fork();
  if (pid == 0) BecomeChild(file.c_str(), input[0], output[1], pointers.data());
  const absl::Status status = pid < 0 ? SystemError("fork") : absl::OkStatus();
  close(input[0]);
  close(output[1]);
  if (pid < 0) {
    close(input[1]);
    close(output[0]);
    return status;
  }
  return std::unique_ptr<ChildProcess>(
      new ChildProcess(pid, input[1], output[0]));
}

ChildProcess::ChildProcess(pid_t pid, int input, int output)
    : pid_(pid),
      input_(input),
      output_(output),
      lines_(output, kLineBytesMax) {}

ChildProcess::~ChildProcess() {
  EndInput();
  WaitForEnd(absl::ZeroDuration());
  close(output_);
}

void ChildProcess::Say(absl::string_view line) {
  std::string text = absl::StrCat(line, "\n");
  absl::string_view left = text;
  while (input_ >= 0 && !left.empty()) {
    const ssize_t bytes = write(input_, left.data(), left.size());
    if (bytes < 0 && errno != EINTR) return;
    if (bytes > 0) left.remove_prefix(static_cast<std::size_t>(bytes));
  }
}

void ChildProcess::EndInput() {
  if (input_ >= 0) close(input_);
  input_ = -1;
}

std::string ChildProcess::WaitForEnd(absl::Duration timeout) {
  if (pid_ == 0) return end_;
  // Reads until the child ends and so closes its output, and drops the rest.
  const absl::Time deadline = absl::Now() + timeout;
  while (!lines_.ended()) {
    pollfd polled = {output_, POLLIN, 0};
    const absl::Duration left = deadline - absl::Now();
    if (left < absl::ZeroDuration()) break;
    if (poll(&polled, 1, static_cast<int>(absl::ToInt64Milliseconds(left))) >
        0) {
      lines_.Fill();
      std::string dropped;
      while (lines_.Next(&dropped)) {
      }
    }
  }
  const bool late = !lines_.ended();
  if (late) kill(pid_, SIGKILL);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
  end_ = late ? "did not end" : Describe(status);
  return end_;
}

}  // namespace cluster
