#include "tests/processes/in_child.h"

#include <sys/wait.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace cluster::internal {

std::string InChild(const std::function<std::string()>& run) {
  int pipe_fds[2];
  EXPECT_EQ(pipe(pipe_fds), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(pipe_fds[0]);
    const std::string said = run();
    const bool written = write(pipe_fds[1], said.data(), said.size()) ==
                         static_cast<ssize_t>(said.size());
    _exit(written ? 0 : 1);
  }
  close(pipe_fds[1]);
  std::string said;
  char buffer[512];
  ssize_t got;
  while ((got = read(pipe_fds[0], buffer, sizeof(buffer))) > 0)
    said.append(buffer, static_cast<std::size_t>(got));
  close(pipe_fds[0]);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
      << "ended with " << status;
  return said;
}

}  // namespace cluster::internal
