#include "cluster/codec/binary/binary.h"

#include <cstring>
#include <string>

#include "absl/base/optimization.h"
#include "cluster/codec/binary/record.h"
#include "cluster/codec/frame_header.h"
#include "cluster/codec/little_endian.h"

namespace cluster::internal {
namespace {

constexpr char kStandaloneMagic = '\xc1';
constexpr char kStandaloneVersion = 1;
constexpr std::size_t kStandaloneAtCrc = 2;
constexpr std::size_t kStandaloneAtRecord = 6;

class Binary final : public Codec {
 public:
  absl::string_view Name() const override { return "binary"; }
  std::uint8_t Id() const override { return 1; }

  std::size_t RecordBytesMax(const EnvelopeView& envelope) const override {
    return kRecordFieldsBytesMax + envelope.payload.size();
  }

  char* AppendRecord(const EnvelopeView& envelope, EncodeState* state,
                     char* out) const override {
    const absl::string_view payload = envelope.payload;
    out = WriteRecordFields(envelope, state, out);
    if (ABSL_PREDICT_TRUE(!payload.empty())) {
      std::memcpy(out, payload.data(), payload.size());
    }
    return out + payload.size();
  }

  std::size_t RecordFieldsBytesMax() const override {
    return kRecordFieldsBytesMax;
  }

  char* AppendRecordFields(const EnvelopeView& envelope, EncodeState* state,
                           char* out) const override {
    return WriteRecordFields(envelope, state, out);
  }

  absl::Status NextRecord(absl::string_view* body,
                          DecodeState* state) const override {
    return ReadRecord(body, state);
  }

  void EncodeStandalone(const EnvelopeView& envelope,
                        std::string* out) const override {
    char start[kStandaloneAtRecord + kRecordFieldsBytesMax];
    EncodeState nothing;
    char* const record = start + kStandaloneAtRecord;
    char* const end = WriteRecordFields(envelope, &nothing, record);
    const absl::string_view fields(record,
                                   static_cast<std::size_t>(end - record));
    start[0] = kStandaloneMagic;
    start[1] = kStandaloneVersion;
    StoreLittle(start + kStandaloneAtCrc,
                Crc32cExtend(Crc32c(fields), envelope.payload));
    out->clear();
    out->reserve(kStandaloneAtRecord + fields.size() + envelope.payload.size());
    out->append(start, end);
    out->append(envelope.payload.data(), envelope.payload.size());
  }

  absl::Status DecodeStandalone(absl::string_view message,
                                DecodeState* state) const override {
    if (message.size() <= kStandaloneAtRecord) {
      return absl::DataLossError("binary message: cut short at byte " +
                                 std::to_string(message.size()));
    }
    if (message[0] != kStandaloneMagic) {
      return absl::InvalidArgumentError("binary message: not one, at byte 0");
    }
    if (message[1] != kStandaloneVersion) {
      return absl::InvalidArgumentError(
          "binary message: unknown version at byte 1");
    }
    absl::string_view record = message.substr(kStandaloneAtRecord);
    if (Crc32c(record) !=
        LoadLittle<std::uint32_t>(message.data() + kStandaloneAtCrc)) {
      return absl::DataLossError("binary message: wrong checksum at byte 2");
    }
    state->first = true;
    absl::Status status = ReadRecord(&record, state);
    if (status.ok() && !record.empty()) {
      return absl::InvalidArgumentError(
          "binary message: more than one record, at byte " +
          std::to_string(message.size() - record.size()));
    }
    return status;
  }
};

}  // namespace
}  // namespace cluster::internal

namespace cluster {

const Codec& BinaryCodec() {
  static const auto* const codec = new internal::Binary;
  return *codec;
}

}  // namespace cluster
