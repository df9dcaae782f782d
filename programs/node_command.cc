#include "programs/node_command.h"

#include <cstdint>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace cluster {
namespace {

// Takes the word at the front of `text`, and the one blank behind it.
absl::string_view TakeWord(absl::string_view* text) {
  const std::size_t end = text->find_first_of(" \t");
  const absl::string_view word = text->substr(0, end);
  text->remove_prefix(word.size());
  if (!text->empty()) text->remove_prefix(1);
  return word;
}

absl::Status Wrong(absl::string_view what, absl::string_view found,
                   absl::string_view want) {
  return absl::InvalidArgumentError(
      absl::StrCat(what, " '", found, "': want ", want));
}

bool ParsePid(absl::string_view text, int* pid) {
  return !text.empty() && absl::ascii_isdigit(text[0]) &&
         absl::SimpleAtoi(text, pid);
}

absl::Status SetType(absl::string_view value, MsgType* type) {
  std::uint32_t number = 0;
  if (absl::SimpleAtoi(value, &number) && number <= 0xffff) {
    *type = static_cast<MsgType>(number);
    return absl::OkStatus();
  }
  for (MsgType known :
       {MsgType::kAppendEntriesRequest, MsgType::kAppendEntriesResponse,
        MsgType::kRequestVoteRequest, MsgType::kRequestVoteResponse}) {
    if (!absl::EqualsIgnoreCase(value, MsgTypeName(known))) continue;
    *type = known;
    return absl::OkStatus();
  }
  return Wrong("--type", value,
               "AppendEntriesRequest, AppendEntriesResponse, "
               "RequestVoteRequest, RequestVoteResponse or a number to 65535");
}

absl::Status SetLane(absl::string_view value, Lane* lane) {
  for (Lane known : {Lane::kUrgent, Lane::kNormal, Lane::kBulk}) {
    if (value != LaneName(known)) continue;
    *lane = known;
    return absl::OkStatus();
  }
  return Wrong("--lane", value, "urgent, normal or bulk");
}

absl::Status SetOption(absl::string_view option, Envelope* envelope) {
  absl::string_view value = option;
  if (option == "--voted") {
    envelope->voted = true;
    return absl::OkStatus();
  }
  if (absl::ConsumePrefix(&value, "--type="))
    return SetType(value, &envelope->msg_type);
  if (absl::ConsumePrefix(&value, "--lane="))
    return SetLane(value, &envelope->lane);
  if (absl::ConsumePrefix(&value, "--term=")) {
    if (absl::SimpleAtoi(value, &envelope->term)) return absl::OkStatus();
    return Wrong("--term", value, "a number to 18446744073709551615");
  }
  return Wrong("option", option,
               "--type=, --term=, --lane= or --voted; '--' ends the options");
}

// Options and payload: what follows the recipients.
absl::StatusOr<NodeCommand> Send(std::vector<int> pids,
                                 absl::string_view rest) {
  NodeCommand command;
  command.kind = NodeCommand::kSend;
  command.pids = std::move(pids);
  while (absl::StartsWith(rest, "--")) {
    const absl::string_view option = TakeWord(&rest);
    if (option == "--") break;
    absl::Status status = SetOption(option, &command.envelope);
    if (!status.ok()) return status;
  }
  command.envelope.payload = std::string(rest);
  return command;
}

// "add 2 127.0.0.1:10002", "remove 2".
absl::StatusOr<NodeCommand> Membership(absl::string_view word,
                                       absl::string_view rest) {
  NodeCommand command;
  command.kind = word == "add" ? NodeCommand::kAdd : NodeCommand::kRemove;
  const absl::string_view id = TakeWord(&rest);
  command.pids.resize(1);
  if (!ParsePid(id, &command.pids[0])) return Wrong("id", id, "a number");
  command.address = std::string(absl::StripAsciiWhitespace(rest));
  if (command.address.empty() == (word == "add")) {
    return absl::InvalidArgumentError(word == "add" ? "want: add ID ADDRESS"
                                                    : "want: remove ID");
  }
  return command;
}

}  // namespace

const char kNodeHelp[] =
    "  2 hello            send the text to server 2\n"
    "  2,3 hello          ... to servers 2 and 3\n"
    "  all hello          ... to all other servers\n"
    "  2 --type=RequestVoteRequest --term=7 --voted --lane=urgent hello\n"
    "                     a type by name or number, a term, a lane (urgent,\n"
    "                     normal, bulk); '--' before text that begins with --\n"
    "  add 4 HOST:PORT    a new server, or the address of one with port 0\n"
    "  remove 4           forget a server\n"
    "  peers              the other servers, and which are up\n"
    "  stats              what was sent, received and dropped\n"
    "  help, quit         (the end of the input quits, too)";

absl::StatusOr<NodeCommand> ParseNodeCommand(absl::string_view line) {
  absl::string_view rest = absl::StripLeadingAsciiWhitespace(line);
  absl::ConsumeSuffix(&rest, "\r");
  const absl::string_view word = TakeWord(&rest);
  NodeCommand command;
  if (word.empty()) return command;
  if (word == "all") return Send({}, rest);
  if (word == "add" || word == "remove") return Membership(word, rest);

  const std::pair<absl::string_view, NodeCommand::Kind> kPlain[] = {
      {"peers", NodeCommand::kPeers},
      {"stats", NodeCommand::kStats},
      {"help", NodeCommand::kHelp},
      {"quit", NodeCommand::kQuit},
  };
  for (const auto& [name, kind] : kPlain) {
    if (word != name) continue;
    command.kind = kind;
    return command;
  }

  std::vector<int> pids;
  for (absl::string_view text : absl::StrSplit(word, ',')) {
    pids.push_back(0);
    if (!ParsePid(text, &pids.back())) {
      return absl::InvalidArgumentError(absl::StrCat(
          "unknown command '", word, "'; help lists the commands"));
    }
  }
  return Send(std::move(pids), rest);
}

}  // namespace cluster
