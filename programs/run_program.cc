#include "programs/run_program.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/flags/reflection.h"
#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "cluster/base/known_words.h"
#include "cluster/version.h"
#include "programs/printable.h"

namespace cluster {
namespace {

constexpr char kUsagePayload[] = "cluster.dev/usage";

constexpr char kTroublePayload[] = "cluster.dev/trouble";

// Of the first Print that failed; 0: none did.
int print_errno = 0;

constexpr char kCommonHelp[] =
    "\n  --version          print the library's version\n"
    "\nExit code: 0, or 1 after an error, or 2 if the command line is wrong.\n";

// A closed standard descriptor would become that of a socket. Standard output
// stays one that cannot be written, so that its loss is reported.
void OpenStandardDescriptors() {
  const int flags[] = {O_RDONLY, O_RDONLY, O_WRONLY};
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    // It becomes the lowest free descriptor, which is fd.
    if (open("/dev/null", flags[fd]) != fd) std::abort();
  }
}

std::string Want(const absl::CommandLineFlag& flag) {
  if (flag.IsOfType<bool>()) return "true or false";
  if (flag.IsOfType<double>()) return "a number";
  return "an integer";
}

std::string KnownFlags(absl::string_view name) {
  std::vector<std::string> names;
  for (const auto& flag : absl::GetAllFlags()) names.emplace_back(flag.first);
  return internal::NearestWord(name, names);
}

// Sets one flag from "name" or "name=value". `next` is the argument after it,
// or null. Returns whether it used `next`.
absl::StatusOr<bool> SetFlag(absl::string_view text, const char* next) {
  const std::vector<std::string> parts =
      absl::StrSplit(text, absl::MaxSplits('=', 1));
  absl::string_view name = parts[0];
  absl::CommandLineFlag* flag = absl::FindCommandLineFlag(name);
  std::string value = parts.size() > 1 ? parts[1] : "";
  bool used_next = false;
  if (flag == nullptr && parts.size() == 1 &&
      absl::ConsumePrefix(&name, "no")) {
    flag = absl::FindCommandLineFlag(name);
    if (flag != nullptr && !flag->IsOfType<bool>()) flag = nullptr;
    value = "false";
  } else if (flag != nullptr && parts.size() == 1) {
    if (flag->IsOfType<bool>()) {
      value = "true";
    } else if (next != nullptr) {
      value = next;
      used_next = true;
    } else {
      return UsageError(absl::StrCat("--", name, " needs a value"));
    }
  }
  if (flag == nullptr) {
    return UsageError(absl::StrCat("no flag --", parts[0], KnownFlags(parts[0]),
                                   "; --help lists them"));
  }
  std::string error;
  if (!flag->ParseFrom(value, &error)) {
    return UsageError(
        absl::StrCat("--", name, "=", value, ": want ", Want(*flag)));
  }
  return used_next;
}

std::string ProgramName(int argc, char** argv) {
  const std::string path = argc > 0 ? argv[0] : "cluster";
  return path.substr(path.rfind('/') + 1);
}

// Runs `body` with the arguments that are no flags, or answers --help.
absl::Status Run(const std::string& name, const std::string& usage,
                 const ProgramBody& body, int argc, char** argv) {
  std::vector<std::string> arguments;
  bool flags = true;
  for (int i = 1; i < argc; ++i) {
    absl::string_view text = argv[i];
    if (!flags || !absl::StartsWith(text, "-") || text.size() < 2) {
      arguments.emplace_back(text);
      continue;
    }
    if (text == "--") {
      flags = false;
      continue;
    }
    absl::ConsumePrefix(&text, "-");
    absl::ConsumePrefix(&text, "-");
    if (text == "help" || text == "h") {
      Print(absl::StrReplaceAll(usage, {{"$0", name}}));
      Print(kCommonHelp);
      return absl::OkStatus();
    }
    if (text == "version") {
      std::printf("cluster %s\n", kVersion);
      return absl::OkStatus();
    }
    absl::StatusOr<bool> used_next =
        SetFlag(text, i + 1 < argc ? argv[i + 1] : nullptr);
    if (!used_next.ok()) return used_next.status();
    if (*used_next) ++i;
  }
  return body(arguments);
}

}  // namespace

int RunProgram(const std::string& usage, const ProgramBody& body, int argc,
               char** argv) {
  OpenStandardDescriptors();
  const std::string name = ProgramName(argc, argv);
  absl::Status status = Run(name, usage, body, argc, argv);
  if (print_errno != 0) {
    status.Update(OutputError(print_errno));
  } else if (std::fflush(stdout) != 0) {
    status.Update(OutputError(errno));
  } else if (std::ferror(stdout) != 0) {
    status.Update(OutputError(EIO));
  }
  if (status.ok()) return 0;
  if (status.GetPayload(kTroublePayload).has_value()) return kExitTrouble;
  std::fprintf(stderr, "%s: %s\n", Printable(name).c_str(),
               Printable(status.message()).c_str());
  return status.GetPayload(kUsagePayload).has_value() ? kExitUsage
                                                      : kExitFailure;
}

absl::Status UsageError(absl::string_view text) {
  absl::Status status = absl::InvalidArgumentError(text);
  status.SetPayload(kUsagePayload, absl::Cord());
  return status;
}

absl::Status FoundTrouble() {
  absl::Status status = absl::FailedPreconditionError("trouble was found");
  status.SetPayload(kTroublePayload, absl::Cord());
  return status;
}

absl::Status CheckFlag(absl::string_view name, std::int64_t value,
                       std::int64_t least, std::int64_t most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return UsageError(
      absl::StrCat("--", name, "=", value, ": want ", least, " to ", most));
}

void Print(const std::string& text) {
  if (std::fputs(text.c_str(), stdout) < 0 && print_errno == 0)
    print_errno = errno;
}

std::string UsersPath(const std::string& path) {
  const char* const folder = std::getenv("BUILD_WORKING_DIRECTORY");
  return folder == nullptr || path.empty() || path[0] == '/'
             ? path
             : absl::StrCat(folder, "/", path);
}

absl::Status OutputError(int errno_value) {
  if (errno_value == EPIPE) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("cannot write standard output: ",
                                          std::strerror(errno_value)));
}

}  // namespace cluster
