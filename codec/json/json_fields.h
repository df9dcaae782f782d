// JsonFields: fills in an envelope from the events of a rapidjson::Reader.
//
// It decides what a key means, which type and range its value has, and how deep
// an ignored value may nest. It borrows the envelope and the scratch, which
// holds the text that is parsed in place and then the payload. An event that
// returns false ends the parse; `fault` and `key` say why.

#ifndef CLUSTER_CODEC_JSON_JSON_FIELDS_H_
#define CLUSTER_CODEC_JSON_JSON_FIELDS_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "cluster/envelope.h"
#include "rapidjson/rapidjson.h"

namespace cluster::internal {

class JsonFields {
 public:
  JsonFields(std::string* scratch, EnvelopeView* envelope)
      : scratch_(scratch), envelope_(envelope) {}

  // The fault and its key; "" if no event was refused.
  absl::string_view fault() const { return fault_; }
  const char* key() const;

  // The events, by RapidJSON's names.
  bool Null() { return Other(); }
  bool Bool(bool value);
  bool Int(int value) { return Int64(value); }
  bool Uint(unsigned value) { return Uint64(value); }
  bool Int64(std::int64_t value);
  bool Uint64(std::uint64_t value);
  bool Double(double) { return Other(); }
  bool RawNumber(const char*, rapidjson::SizeType, bool) { return Other(); }
  bool String(const char* text, rapidjson::SizeType bytes, bool copy);
  bool StartObject() { return Open(/*object=*/true); }
  bool Key(const char* text, rapidjson::SizeType bytes, bool copy);
  bool EndObject(rapidjson::SizeType) { return Close(); }
  bool StartArray() { return Open(/*object=*/false); }
  bool EndArray(rapidjson::SizeType) { return Close(); }

 private:
  enum class Field {
    kIgnored,
    kMessageId,
    kMsgId,
    kPid,
    kMsgType,
    kSenderId,
    kTerm,
    kVoted,
    kPayload,
    kPayloadBase64,
    kLane,
    kGroup,
    kCorrelation,
  };
  static Field FieldOf(absl::string_view key);

  // Whether the value at hand is below or beside the known keys.
  bool Ignored() const { return depth_ > 1 || field_ == Field::kIgnored; }
  bool Other() { return Ignored() && depth_ > 0 ? true : WrongType(); }
  bool Open(bool object);
  bool Close();
  bool SetMessageId(absl::string_view text);
  bool SetMsgType(absl::string_view name);
  bool SetLane(absl::string_view name);
  bool SetPayload(absl::string_view text);
  bool SetPayloadBase64(absl::string_view text);
  bool WrongType();
  bool Fail(absl::string_view fault);

  std::string* const scratch_;
  EnvelopeView* const envelope_;
  absl::string_view fault_;
  int depth_ = 0;
  Field field_ = Field::kIgnored;
  unsigned seen_ = 0;  // one bit for each thing that may be said once
};

}  // namespace cluster::internal

#endif  // CLUSTER_CODEC_JSON_JSON_FIELDS_H_
