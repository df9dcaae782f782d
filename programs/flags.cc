#include "programs/flags.h"

#include <cstdio>
#include <cstdlib>

#include "absl/flags/reflection.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "cluster/version.h"
#include "programs/printable.h"

namespace cluster {
namespace {

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
      return absl::InvalidArgumentError(
          absl::StrCat("--", name, " needs a value"));
    }
  }
  if (flag == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("no flag --", parts[0], "; --help lists them"));
  }
  std::string error;
  if (!flag->ParseFrom(value, &error)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--", name, "=", value, ": want ",
                     flag->IsOfType<bool>() ? "true or false" : "a number"));
  }
  return used_next;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ReadCommandLine(int argc, char** argv,
                                                         const char* usage) {
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
      std::fputs(usage, stdout);
      std::exit(0);
    }
    if (text == "version") {
      std::printf("cluster %s\n", kVersion);
      std::exit(0);
    }
    absl::StatusOr<bool> used_next =
        SetFlag(text, i + 1 < argc ? argv[i + 1] : nullptr);
    if (!used_next.ok()) return used_next.status();
    if (*used_next) ++i;
  }
  return arguments;
}

int Fail(const char* program, const absl::Status& status, int exit_code) {
  std::fprintf(stderr, "%s: %s\n", program,
               Printable(status.message()).c_str());
  return exit_code;
}

}  // namespace cluster
