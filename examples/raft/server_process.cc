#include "examples/raft/server_process.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "examples/raft/key_values.h"
#include "programs/line_reader.h"
#include "programs/output.h"

namespace raft {
namespace {

constexpr std::size_t kLineBytesMax = 4096;
constexpr absl::Duration kPatience = absl::Seconds(5);

class ServerProcess {
 public:
  ServerProcess(Node* node, cluster::Output* output)
      : node_(node), output_(output) {}

  // OK: the end of the input.
  absl::Status Run() {
    output_->Line(absl::StrCat("address ", node_->server().Address()));
    cluster::LineReader input(STDIN_FILENO, kLineBytesMax);
    while (!input.ended()) {
      ReportRole();
      pollfd polled[] = {{STDIN_FILENO, POLLIN, 0},
                         {node_->descriptor(), POLLIN, 0}};
      const auto patience =
          absl::Ceil(node_->UntilTick(), absl::Milliseconds(1));
      if (poll(polled, 2,
               static_cast<int>(absl::ToInt64Milliseconds(patience))) < 0 &&
          errno != EINTR)
        return absl::ErrnoToStatus(errno, "poll");
      if (polled[0].revents != 0) input.Fill();
      std::string line;
      while (input.Next(&line)) {
        if (absl::Status status = Obey(line); !status.ok()) return status;
      }
      if (absl::Status status = node_->Turn(); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Obey(const std::string& line) {
    const std::vector<std::string> words =
        absl::StrSplit(line, absl::MaxSplits(' ', 2));
    int number = 0;
    if (words[0] == "status") {
      output_->Line(absl::StrCat("status ", Status()));
      return absl::OkStatus();
    }
    if (words.size() == 3 && absl::SimpleAtoi(words[1], &number)) {
      if (words[0] == "peer") return SetAddress(number, words[2]);
      if (words[0] == "do") return Do(number, words[2]);
    }
    return absl::InvalidArgumentError(absl::StrCat("cannot do '", line, "'"));
  }

  // A server that comes back listens at another port.
  absl::Status SetAddress(int peer, const std::string& address) {
    const absl::Status added = node_->server().AddPeer(peer, address);
    if (!absl::IsAlreadyExists(added)) return added;
    return node_->server().UpdatePeer(peer, address);
  }

  absl::Status Do(int number, const std::string& text) {
    absl::StatusOr<std::string> command = ParseCommand(text);
    if (!command.ok()) return command.status();
    node_->Execute(
        *std::move(command), kPatience,
        [output = output_, number](const absl::StatusOr<std::string>& value) {
          output->Line(absl::StrCat("answer ", number, " ",
                                    !value.ok()      ? value.status().message()
                                    : value->empty() ? "(none)"
                                                     : *value));
        });
    return absl::OkStatus();
  }

  std::string Status() const {
    const Raft& raft = node_->replica().raft();
    return absl::StrCat(RoleName(raft.role()), " in term ", raft.current_term(),
                        ", committed up to ", raft.commit_index(), ", log ",
                        raft.log().base_index() + 1, " to ",
                        raft.log().last_index());
  }

  void ReportRole() {
    const Raft& raft = node_->replica().raft();
    const std::string role =
        absl::StrCat("role ", RoleName(raft.role()), " ", raft.current_term(),
                     " ", raft.leader());
    if (role != reported_role_) output_->Line(role);
    reported_role_ = role;
  }

  Node* const node_;
  cluster::Output* const output_;
  std::string reported_role_;
};

}  // namespace

absl::StatusOr<std::string> ParseCommand(absl::string_view text) {
  const std::vector<absl::string_view> words =
      absl::StrSplit(text, absl::MaxSplits(' ', 2));
  if (words[0] == "put" && words.size() == 3 && !words[1].empty())
    return PutCommand(words[1], words[2]);
  if (words[0] == "get" && words.size() == 2 && !words[1].empty())
    return GetCommand(words[1]);
  return absl::InvalidArgumentError("want 'put KEY VALUE' or 'get KEY'");
}

void RunServerProcess(const NodeConfig& config) {
  cluster::Output output(STDOUT_FILENO, -1);
  absl::StatusOr<std::unique_ptr<Node>> node = Node::Start(config);
  absl::Status status = node.status();
  if (status.ok()) status = ServerProcess(node->get(), &output).Run();
  if (!status.ok()) output.Line(absl::StrCat("error ", status.message()));
}

}  // namespace raft
