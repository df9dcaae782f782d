#include "cluster/codec/testing/codec_fuzz.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "cluster/codec/testing/fuzz.h"

namespace cluster::internal {
namespace {

void CheckError(const absl::Status& status) {
  FUZZ_CHECK(absl::IsInvalidArgument(status) || absl::IsDataLoss(status));
  FUZZ_CHECK(absl::StrContains(status.message(), "at byte "));
}

void CheckRanges(const EnvelopeView& view) {
  FUZZ_CHECK(view.pid >= kBroadcast);
  FUZZ_CHECK(view.sender_id >= 0);
  FUZZ_CHECK(static_cast<int>(view.lane) < kLanes);
}

// The records up to the end or to the first error.
std::vector<Envelope> ReadAll(const Codec& codec, absl::string_view body,
                              absl::Status* status) {
  std::vector<Envelope> envelopes;
  DecodeState state;
  while (!body.empty()) {
    const std::size_t before = body.size();
    *status = codec.NextRecord(&body, &state);
    if (!status->ok()) break;
    FUZZ_CHECK(body.size() < before);
    CheckRanges(state.envelope);
    envelopes.push_back(state.envelope.ToEnvelope());
  }
  return envelopes;
}

std::string WriteAll(const Codec& codec, const std::vector<Envelope>& in) {
  std::string body;
  EncodeState state;
  for (const Envelope& envelope : in) {
    const std::size_t bound = codec.RecordBytesMax(envelope);
    std::unique_ptr<char[]> record(new char[bound]);
    char* const end = codec.AppendRecord(envelope, &state, record.get());
    FUZZ_CHECK(static_cast<std::size_t>(end - record.get()) <= bound);
    body.append(record.get(), end);
  }
  return body;
}

}  // namespace

void FuzzBody(const Codec& codec, absl::string_view body) {
  const ExactCopy copy(body);
  absl::Status status;
  const std::vector<Envelope> envelopes = ReadAll(codec, copy.bytes(), &status);
  if (!status.ok()) CheckError(status);
  absl::Status again;
  FUZZ_CHECK(ReadAll(codec, WriteAll(codec, envelopes), &again) == envelopes);
  FUZZ_CHECK(again.ok());
}

void FuzzStandalone(const Codec& codec, absl::string_view message) {
  const ExactCopy copy(message);
  DecodeState state;
  const absl::Status status = codec.DecodeStandalone(copy.bytes(), &state);
  if (!status.ok()) return CheckError(status);
  CheckRanges(state.envelope);
  const Envelope envelope = state.envelope.ToEnvelope();
  std::string again;
  codec.EncodeStandalone(envelope, &again);
  FUZZ_CHECK(codec.DecodeStandalone(again, &state).ok());
  FUZZ_CHECK(SameEnvelope(state.envelope, envelope));
}

}  // namespace cluster::internal
