#include "cluster/codec/registry.h"

#include "absl/strings/str_cat.h"
#include "cluster/base/known_words.h"
#include "cluster/codec/binary/binary.h"
#include "cluster/codec/json/json.h"

namespace cluster {
namespace {

// Explicit: objects that register themselves are dropped from static archives.
const std::vector<const Codec*>& Codecs() {
  static const auto* const codecs =
      new std::vector<const Codec*>{&BinaryCodec(), &JsonCodec()};
  return *codecs;
}

}  // namespace

absl::StatusOr<const Codec*> FindCodec(absl::string_view name) {
  for (const Codec* codec : Codecs()) {
    if (codec->Name() == name) return codec;
  }
  constexpr std::size_t kShownBytes = 80;
  const absl::string_view shown = name.substr(0, kShownBytes);
  return absl::NotFoundError(absl::StrCat(
      "unknown codec \"", shown, shown.size() < name.size() ? "..." : "", "\"",
      internal::KnownWords(shown, CodecNames())));
}

const Codec* FindCodec(std::uint8_t id) {
  for (const Codec* codec : Codecs()) {
    if (codec->Id() == id) return codec;
  }
  return nullptr;
}

const Codec* CodecOfStandalone(absl::string_view message, DecodeState* state) {
  for (const Codec* codec : Codecs()) {
    if (codec->DecodeStandalone(message, state).ok()) return codec;
  }
  return nullptr;
}

std::vector<std::string> CodecNames() {
  std::vector<std::string> names;
  for (const Codec* codec : Codecs()) names.emplace_back(codec->Name());
  return names;
}

}  // namespace cluster
