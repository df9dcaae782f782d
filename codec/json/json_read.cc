#include "cluster/codec/json/json_read.h"

#include "absl/strings/str_cat.h"
#include "cluster/codec/json/json_fields.h"
#include "cluster/codec/json/text.h"
#include "rapidjson/error/en.h"
#include "rapidjson/reader.h"

namespace cluster::internal {
namespace {

// Iterative, so that nesting costs no stack of ours. In place, so that a text
// takes its own bytes once more and not, on the parser's growing stack, several
// times. The parser could check the encoding too, a byte at a time; to do it
// before takes a fraction of that.
constexpr unsigned kFlags =
    rapidjson::kParseIterativeFlag | rapidjson::kParseInsituFlag;

absl::Status Wrong(absl::string_view what, std::size_t at) {
  return absl::InvalidArgumentError(
      absl::StrCat("json record: ", what, " at byte ", at));
}

}  // namespace

absl::Status ReadJson(absl::string_view text, std::string* scratch,
                      EnvelopeView* envelope) {
  *envelope = EnvelopeView();
  const std::size_t utf8_bytes = Utf8Bytes(text);
  if (utf8_bytes != text.size()) return Wrong("not UTF-8", utf8_bytes);
  scratch->assign(text.data(), text.size());
  JsonFields fields(scratch, envelope);
  rapidjson::InsituStringStream stream(&(*scratch)[0]);
  rapidjson::Reader reader;
  const rapidjson::ParseResult result = reader.Parse<kFlags>(stream, fields);
  if (!fields.fault().empty()) {
    const absl::string_view key = fields.key();
    return Wrong(absl::StrCat(key, key.empty() ? "" : ": ", fields.fault()),
                 result.Offset());
  }
  if (result.IsError()) {
    return Wrong(rapidjson::GetParseError_En(result.Code()), result.Offset());
  }
  // A zero byte looks like the end to the parser.
  if (stream.Tell() != text.size()) {
    return Wrong("a zero byte behind the object", stream.Tell());
  }
  return absl::OkStatus();
}

}  // namespace cluster::internal
