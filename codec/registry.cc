#include "cluster/codec/registry.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
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
  return absl::NotFoundError(absl::StrCat("codec \"", name, "\" is none of ",
                                          absl::StrJoin(CodecNames(), ", ")));
}

const Codec* FindCodec(std::uint8_t id) {
  for (const Codec* codec : Codecs()) {
    if (codec->Id() == id) return codec;
  }
  return nullptr;
}

std::vector<std::string> CodecNames() {
  std::vector<std::string> names;
  for (const Codec* codec : Codecs()) names.emplace_back(codec->Name());
  return names;
}

}  // namespace cluster
