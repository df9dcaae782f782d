// Threads of a server and of the libraries below it. Each has a name, and none
// takes the application's signals.

#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/harness/test_cluster.h"
#include "tests/harness/transports.h"

namespace cluster::internal {
namespace {

using ::testing::IsEmpty;

struct Task {
  std::string id;
  std::string name;
  std::uint64_t blocked = 0;  // bit n-1: signal n
};

std::string FirstLine(const std::string& path) {
  std::string line;
  std::ifstream file(path);
  std::getline(file, line);
  return line;
}

// All threads of this process, perhaps without those that end meanwhile.
std::vector<Task> Tasks() {
  std::vector<Task> tasks;
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/self/task", error)) {
    const std::string folder = entry.path().string();
    Task task;
    task.id = entry.path().filename().string();
    task.name = FirstLine(folder + "/comm");
    std::ifstream status(folder + "/status");
    std::string line;
    while (std::getline(status, line)) {
      absl::string_view digits = line;
      if (!absl::ConsumePrefix(&digits, "SigBlk:")) continue;
      task.blocked = std::stoull(std::string(digits), nullptr, 16);
    }
    if (!task.name.empty()) tasks.push_back(task);
  }
  return tasks;
}

std::set<std::string> Ids() {
  std::set<std::string> ids;
  for (const Task& task : Tasks()) ids.insert(task.id);
  return ids;
}

bool BlocksAll(const Task& task) {
  for (int number = 1; number <= SIGRTMAX; ++number) {
    if (number == SIGKILL || number == SIGSTOP) continue;
    if (number >= 32 && number < SIGRTMIN) continue;  // the C library's own
    if ((task.blocked >> (number - 1) & 1) == 0) return false;
  }
  return true;
}

// The problems of threads that are not in `before`.
std::vector<std::string> Problems(const std::set<std::string>& before) {
  const std::string process =
      FirstLine(absl::StrCat("/proc/self/task/", getpid(), "/comm"));
  std::vector<std::string> problems;
  for (const Task& task : Tasks()) {
    if (before.count(task.id) > 0) continue;
    if (task.name == process)
      problems.push_back(absl::StrCat("thread ", task.id, " has no name"));
    if (!BlocksAll(task)) {
      problems.push_back(absl::StrCat("thread ", task.id, " (", task.name,
                                      ") takes signals: blocked are ",
                                      absl::Hex(task.blocked)));
    }
  }
  return problems;
}

class ThreadsTest : public testing::TestWithParam<const char*> {};

TEST_P(ThreadsTest, HaveNamesAndTakeNoSignals) {
  // The thread sanitizer starts a thread of its own with the first one.
  std::thread([] {}).join();
  const std::set<std::string> before = Ids();
  std::string backend = GetParam();
  ClusterSpec spec;
  spec.secured = absl::StartsWith(backend, "secured_");
  spec.config.transport = std::string(absl::StripPrefix(backend, "secured_"));
  spec.ids = FirstIds(2);
  // No threads of the test's own.
  spec.consumption = [](int) { return Consumption::kHandler; };
  spec.on_envelope = [](int, const EnvelopeView&) {};
  spec.on_event = [](int, const PeerEvent&) {};
  TestCluster cluster(spec);
  ASSERT_TRUE(cluster.Start());
  for (int id : cluster.ids()) {
    Envelope envelope;
    envelope.pid = 3 - id;
    EXPECT_TRUE(cluster.server(id).Send(envelope).ok());
  }
  ASSERT_TRUE(cluster.FlushAll());
  EXPECT_GT(Ids().size(), before.size() + 4);
  // Some libraries' threads name themselves some time after they start.
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::seconds(30);
  std::vector<std::string> problems = Problems(before);
  while (!problems.empty() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
    problems = Problems(before);
  }
  EXPECT_THAT(problems, IsEmpty());
  // The caller's signal mask is unchanged.
  sigset_t own;
  pthread_sigmask(SIG_SETMASK, nullptr, &own);
  EXPECT_EQ(sigismember(&own, SIGTERM), 0);
}

INSTANTIATE_TEST_SUITE_P(Backends, ThreadsTest,
                         testing::ValuesIn(With(AllTransports(),
                                                SecuredTransports())),
                         TransportName);

}  // namespace
}  // namespace cluster::internal
