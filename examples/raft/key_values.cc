#include "examples/raft/key_values.h"

#include <cstdint>
#include <utility>

#include "examples/raft/coding.h"

namespace raft {
namespace {

constexpr std::uint64_t kGet = 0;
constexpr std::uint64_t kPut = 1;

}  // namespace

std::string PutCommand(absl::string_view key, absl::string_view value) {
  std::string command;
  Put(kPut, &command);
  PutString(key, &command);
  PutString(value, &command);
  return command;
}

std::string GetCommand(absl::string_view key) {
  std::string command;
  Put(kGet, &command);
  PutString(key, &command);
  return command;
}

std::string KeyValues::Apply(absl::string_view command) {
  std::uint64_t kind = 0;
  std::string key;
  if (!Take(&command, &kind) || !TakeString(&command, &key)) return "";
  std::string value;
  if (kind == kPut && TakeString(&command, &value)) values_[key] = value;
  const auto found = values_.find(key);
  return found == values_.end() ? "" : found->second;
}

std::string KeyValues::Save() const {
  std::string state;
  for (const auto& [key, value] : values_) {
    PutString(key, &state);
    PutString(value, &state);
  }
  return state;
}

void KeyValues::Restore(absl::string_view state) {
  values_.clear();
  std::string key;
  std::string value;
  while (TakeString(&state, &key) && TakeString(&state, &value))
    values_[key] = value;
}

}  // namespace raft
