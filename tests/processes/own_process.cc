#include "tests/processes/own_process.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "cluster/transport/transport_facts.h"
#include "gtest/gtest.h"
#include "programs/keygen/keys.h"

namespace cluster::internal {
namespace {

// After this time SIGALRM ends a process that hangs.
constexpr unsigned kHangSeconds = 100;

}  // namespace

std::ostream& operator<<(std::ostream& out, const Backend& backend) {
  return out << backend.name;
}

std::vector<Backend> RealBackends() {
  std::vector<Backend> backends = {{"zmq_sharing", "zmq", false, true}};
  for (const TransportFacts& facts : kTransports) {
    const std::string name = facts.name;
    if (!facts.one_process_only) backends.push_back({name, name});
    if (facts.can_be_secured)
      backends.push_back({name + "_secured", name, true});
  }
  return backends;
}

Config ConfigOf(const Backend& backend) {
  Config config;
  config.cluster = "own";
  config.transport = backend.transport;
  for (int id : {1, 2, 3}) config.servers.push_back({id, "127.0.0.1:0"});
  if (backend.share_context)
    config.transport_options["zmq"].values["share_context"] = true;
  if (!backend.secured) return config;
  KeyRequest keys;
  keys.cluster = config.cluster;
  keys.server_ids = {1, 2, 3};
  keys.folder = absl::StrCat(testing::TempDir(), "/keysXXXXXX");
  Require(mkdtemp(&keys.folder[0]) != nullptr, "a folder for keys");
  RequireOk(MakeKeys(keys), "MakeKeys");
  config.security.mode = SecurityConfig::Mode::kMutual;
  config.security.identity = absl::StrCat(keys.folder, "/{id}");
  config.security.peers = absl::StrCat(keys.folder, "/public");
  return config;
}

void Require(bool holds, absl::string_view what) {
  if (holds) return;
  const std::string text = absl::StrCat("not so: ", what, "\n");
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
  _exit(99);
}

void RequireOk(const absl::Status& status, absl::string_view what) {
  Require(status.ok(), absl::StrCat(what, ": ", status.ToString()));
}

std::unique_ptr<Server> MakeServer(int id, const Config& config) {
  alarm(kHangSeconds);
  absl::StatusOr<std::unique_ptr<Server>> server = NewServer(id, config);
  RequireOk(server.status(), "NewServer");
  return *std::move(server);
}

void Introduce(Server* one, Server* other) {
  RequireOk(one->AddPeer(other->Pid(), other->Address()), "AddPeer");
  RequireOk(other->AddPeer(one->Pid(), one->Address()), "AddPeer");
}

void SendText(Server* from, int pid, const std::string& text) {
  Envelope envelope;
  envelope.pid = pid;
  envelope.payload = text;
  RequireOk(from->Send(envelope, kPatience), "Send");
}

Envelope AwaitText(Server* at, absl::string_view text) {
  absl::StatusOr<Envelope> envelope = at->Receive(kPatience);
  RequireOk(envelope.status(), "Receive");
  Require(envelope->payload == text,
          absl::StrCat("\"", envelope->payload, "\" is \"", text, "\""));
  return *std::move(envelope);
}

void Exchange(Server* one, Server* other) {
  SendText(one, other->Pid(), "there");
  AwaitText(other, "there");
  SendText(other, one->Pid(), "and back");
  AwaitText(one, "and back");
}

pid_t Fork(const std::function<void()>& run) {
  const pid_t child = fork();
  Require(child >= 0, "fork");
  if (child > 0) return child;
  alarm(kHangSeconds);
  run();
  _exit(0);
}

void RequireEnd(pid_t child, absl::string_view end) {
  int status = 0;
  Require(waitpid(child, &status, 0) == child, "waitpid");
  std::string ended;
  if (WIFSIGNALED(status)) ended = absl::StrCat("signal ", WTERMSIG(status));
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
    ended = absl::StrCat("exit code ", WEXITSTATUS(status));
  Require(ended == end, absl::StrCat("the child ended with \"", ended,
                                     "\", wanted \"", end, "\""));
}

Pipe::Pipe() { Require(pipe2(ends_, O_CLOEXEC) == 0, "pipe2"); }

Pipe::~Pipe() {
  close(ends_[0]);
  close(ends_[1]);
}

void Pipe::Say(const std::string& line) {
  const std::string text = line + "\n";
  Require(write(ends_[1], text.data(), text.size()) ==
              static_cast<ssize_t>(text.size()),
          "write to a pipe");
}

std::string Pipe::Hear() {
  std::string line;
  char next = 0;
  while (true) {
    Require(read(ends_[0], &next, 1) == 1, "read from a pipe");
    if (next == '\n') return line;
    line.push_back(next);
  }
}

}  // namespace cluster::internal
