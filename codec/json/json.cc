#include "cluster/codec/json/json.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "cluster/codec/json/json_read.h"
#include "cluster/codec/json/json_write.h"

namespace cluster::internal {
namespace {

class Json final : public Codec {
 public:
  absl::string_view Name() const override { return "json"; }
  std::uint8_t Id() const override { return 2; }

  std::size_t RecordBytesMax(const EnvelopeView& envelope) const override {
    return JsonBytesMax(envelope) + 1;
  }

  char* AppendRecord(const EnvelopeView& envelope, EncodeState* state,
                     char* out) const override {
    state->context.grouped |= (envelope.group | envelope.correlation) != 0;
    out = WriteJson(envelope, out);
    *out++ = '\n';
    return out;
  }

  absl::Status NextRecord(absl::string_view* body,
                          DecodeState* state) const override {
    const std::size_t bytes = body->find('\n');
    if (bytes == absl::string_view::npos) {
      return absl::DataLossError(
          absl::StrCat("json record: cut short at byte ", body->size()));
    }
    absl::Status status =
        ReadJson(body->substr(0, bytes), &state->scratch, &state->envelope);
    if (status.ok()) body->remove_prefix(bytes + 1);
    return status;
  }

  void EncodeStandalone(const EnvelopeView& envelope,
                        std::string* out) const override {
    out->resize(JsonBytesMax(envelope));
    char* const begin = &(*out)[0];
    out->resize(static_cast<std::size_t>(WriteJson(envelope, begin) - begin));
  }

  absl::Status DecodeStandalone(absl::string_view message,
                                DecodeState* state) const override {
    return ReadJson(message, &state->scratch, &state->envelope);
  }
};

}  // namespace

}  // namespace cluster::internal

namespace cluster {

const Codec& JsonCodec() {
  static const auto* const codec = new internal::Json;
  return *codec;
}

}  // namespace cluster
