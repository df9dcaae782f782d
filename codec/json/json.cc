#include "cluster/codec/json/json.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "cluster/codec/json/json_read.h"
#include "cluster/codec/json/text.h"
#include "rapidjson/allocators.h"
#include "rapidjson/writer.h"

namespace cluster::internal {
namespace {

// All but the payload, with every number at its longest, is below this.
constexpr std::size_t kFieldsBytesMax = 256;

// Up to this size a payload that is UTF-8 is text, for people to read, however
// long its escapes make it.
constexpr std::size_t kSmallPayloadBytes = 128;

// An output stream of RapidJSON over a buffer that is known to be large enough.
struct BufferStream {
  using Ch = char;
  void Put(char c) { *out++ = c; }
  void Flush() {}
  char* out;
};

using Pool = rapidjson::MemoryPoolAllocator<>;
using Writer =
    rapidjson::Writer<BufferStream, rapidjson::UTF8<>, rapidjson::UTF8<>, Pool>;

void WriteText(absl::string_view text, Writer* writer) {
  // An empty view may have no data, which RapidJSON does not like.
  writer->String(text.empty() ? "" : text.data(),
                 static_cast<rapidjson::SizeType>(text.size()));
}

template <std::size_t bytes>
void WriteKey(const char (&key)[bytes], Writer* writer) {
  writer->Key(key, static_cast<rapidjson::SizeType>(bytes - 1));
}

enum class Dialect { kOwn, kGo };

void WriteMessageId(const MessageId& id, Writer* writer) {
  constexpr std::size_t kDigitsMax = 20;
  char text[2 * kDigitsMax + 1];
  char* end = std::to_chars(text, text + kDigitsMax, id.incarnation).ptr;
  *end++ = '-';
  end = std::to_chars(end, end + kDigitsMax, id.sequence).ptr;
  WriteKey("MessageId", writer);
  WriteText(absl::string_view(text, static_cast<std::size_t>(end - text)),
            writer);
}

// A larger one takes at most 4/3 of its bytes, which is what a receiver reckons
// with (RecordBytesLimit).
bool IsText(absl::string_view payload) {
  return IsUtf8(payload) &&
         (payload.size() <= kSmallPayloadBytes ||
          EscapedBytes(payload) <= Base64Bytes(payload.size()));
}

void WritePayload(absl::string_view payload, Writer* writer) {
  if (IsText(payload)) {
    WriteKey("Payload", writer);
    WriteText(payload, writer);
  } else {
    WriteKey("PayloadBase64", writer);
    WriteText(absl::Base64Escape(payload), writer);
  }
}

// A Go program gets what its own encoding/json writes: a text is a string, an
// object or array is itself, and other bytes are base64. Only this library reads
// the mark, which tells such base64 from a text.
void WriteMsg(absl::string_view payload, Writer* writer) {
  const bool text = IsUtf8(payload);
  if (!text) {
    WriteKey("MsgBase64", writer);
    writer->Bool(true);
  }
  WriteKey("Msg", writer);
  if (!text) {
    WriteText(absl::Base64Escape(payload), writer);
  } else if (IsJsonTree(payload)) {
    writer->RawValue(payload.data(), payload.size(), rapidjson::kObjectType);
  } else {
    WriteText(payload, writer);
  }
}

// WriteJson writes at most so many bytes.
std::size_t JsonBytesMax(const EnvelopeView& envelope) {
  const std::size_t bytes = envelope.payload.size();
  return kFieldsBytesMax +
         (bytes <= kSmallPayloadBytes ? 6 * bytes : Base64Bytes(bytes));
}

std::size_t GoJsonBytesMax(const EnvelopeView& envelope) {
  const absl::string_view payload = envelope.payload;
  return kFieldsBytesMax +
         std::max(EscapedBytes(payload), Base64Bytes(payload.size()));
}

// Writes the object at `out`, which has room for JsonBytesMax or
// GoJsonBytesMax, and returns its end.
template <Dialect dialect>
char* WriteJson(const EnvelopeView& envelope, char* out) {
  // The writer's stack of open objects, so that writing allocates nothing.
  alignas(std::uint64_t) char levels[1024];
  Pool pool(levels, sizeof(levels));
  BufferStream stream{out};
  Writer writer(stream, &pool);
  writer.StartObject();
  if constexpr (dialect == Dialect::kGo) {
    WriteKey("MsgId", &writer);
    writer.Int64(static_cast<std::int64_t>(envelope.message_id.sequence));
  } else {
    WriteMessageId(envelope.message_id, &writer);
  }
  WriteKey("Pid", &writer);
  writer.Int(envelope.pid);
  WriteKey("MsgType", &writer);
  writer.Uint(static_cast<std::uint16_t>(envelope.msg_type));
  WriteKey("SenderId", &writer);
  writer.Int(envelope.sender_id);
  WriteKey("Term", &writer);
  writer.Uint64(envelope.term);
  WriteKey("Voted", &writer);
  writer.Bool(envelope.voted);
  if constexpr (dialect == Dialect::kGo) {
    WriteMsg(envelope.payload, &writer);
  } else {
    WritePayload(envelope.payload, &writer);
  }
  if (envelope.lane != Lane::kNormal) {
    WriteKey("Lane", &writer);
    WriteText(LaneName(envelope.lane), &writer);
  }
  if (envelope.group != 0) {
    WriteKey("Group", &writer);
    writer.Uint64(envelope.group);
  }
  if (envelope.correlation != 0) {
    WriteKey("Correlation", &writer);
    writer.Uint64(envelope.correlation);
  }
  writer.EndObject();
  return stream.out;
}

class Json : public Codec {
 public:
  absl::string_view Name() const override { return "json"; }
  std::uint8_t Id() const override { return 2; }

  std::size_t RecordBytesMax(const EnvelopeView& envelope) const override {
    return JsonBytesMax(envelope) + 1;
  }

  char* AppendRecord(const EnvelopeView& envelope, EncodeState* state,
                     char* out) const override {
    state->grouped |= (envelope.group | envelope.correlation) != 0;
    out = WriteJson<Dialect::kOwn>(envelope, out);
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
    char* const end = WriteJson<Dialect::kOwn>(envelope, begin);
    out->resize(static_cast<std::size_t>(end - begin));
  }

  absl::Status DecodeStandalone(absl::string_view message,
                                DecodeState* state) const override {
    return ReadJson(message, &state->scratch, &state->envelope);
  }
};

class GoJson final : public Json {
 public:
  void EncodeStandalone(const EnvelopeView& envelope,
                        std::string* out) const override {
    out->resize(GoJsonBytesMax(envelope));
    char* const begin = &(*out)[0];
    char* const end = WriteJson<Dialect::kGo>(envelope, begin);
    out->resize(static_cast<std::size_t>(end - begin));
  }

  absl::Status DecodeStandalone(absl::string_view message,
                                DecodeState* state) const override {
    return ReadGoJson(message, &state->scratch, &state->envelope);
  }
};

}  // namespace
}  // namespace cluster::internal

namespace cluster {

const Codec& JsonCodec() {
  static const auto* const codec = new internal::Json;
  return *codec;
}

const Codec& GoJsonCodec() {
  static const auto* const codec = new internal::GoJson;
  return *codec;
}

}  // namespace cluster
