// Codec: turns envelopes into bytes and back.
//
// A codec has two forms. A body is a sequence of records; each may lean on the
// one before it, so that repeated fields cost next to nothing. Frames of the
// reliable delivery carry bodies, behind a header that no codec writes
// (frame_header.h). A standalone message is one envelope; the best-effort
// delivery sends these.
//
// A Codec is immutable and shared by all threads; an EncodeState or DecodeState
// belongs to one thread at a time. A decoded envelope belongs to its
// DecodeState and points into the input: it is valid until the next call with
// that state. Encoding cannot fail if the buffer has the room that the codec
// asks for. Decoding takes any bytes. It answers kInvalidArgument or kDataLoss,
// and the text says what is wrong at which byte.
//
//   const Codec& codec = BinaryCodec();
//   std::string body(codec.RecordBytesMax(envelope), '\0');
//   EncodeState encode;
//   body.resize(codec.AppendRecord(envelope, &encode, &body[0]) - body.data());
//
//   absl::string_view rest = body;
//   DecodeState decode;
//   while (!rest.empty()) {
//     if (absl::Status status = codec.NextRecord(&rest, &decode); !status.ok())
//       return status;
//     Use(decode.envelope);
//   }

#ifndef CLUSTER_CODEC_CODEC_H_
#define CLUSTER_CODEC_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cluster/envelope.h"

namespace cluster {

// The fields of the record before, without its payload: the next record of the
// body may lean on them. A fresh state begins a body, or a stretch that leans on
// nothing before it. A decoder reads two stretches, one behind the other, as one
// body.
struct EncodeState {
  MessageId message_id{};
  std::uint64_t term = 0;
  int pid = 0;
  int sender_id = 0;
  MsgType msg_type = MsgType::kAppendEntriesRequest;
  bool voted = false;
  Lane lane = Lane::kNormal;
  // Whether any record so far has a group or a correlation.
  bool grouped = false;
  bool first = true;    // no record yet: everything is spelled out
  bool special = true;  // first or grouped, in one byte to test
  std::uint64_t group = 0;
  std::uint64_t correlation = 0;
};

// The next record may lean on the envelope that was read last, so reading a
// like record writes little.
struct DecodeState {
  bool first = true;      // no record yet
  EnvelopeView envelope;  // the one that was read last
  // Holds the payload of a codec that must unescape it; at most as long as the
  // record.
  std::string scratch;
};

class Codec {
 public:
  virtual ~Codec() = default;

  // The name in the config: "binary".
  virtual absl::string_view Name() const = 0;
  // The id in the frame header; 1-63 are the library's to assign.
  virtual std::uint8_t Id() const = 0;

  // At most so many bytes does AppendRecord write for this envelope. Cheap.
  virtual std::size_t RecordBytesMax(const EnvelopeView& envelope) const = 0;

  // Writes one record at `out`, which has room for RecordBytesMax, and returns
  // its end.
  virtual char* AppendRecord(const EnvelopeView& envelope, EncodeState* state,
                             char* out) const = 0;

  // At most so many bytes does AppendRecordFields write. 0 if in this codec's
  // records the payload is not simply the last part. Serves large payloads,
  // which are copied only once, to where they go in pieces.
  virtual std::size_t RecordFieldsBytesMax() const { return 0; }
  // Writes what AppendRecord writes, without the payload, which follows as it
  // is. Only where RecordFieldsBytesMax is not 0.
  virtual char* AppendRecordFields(const EnvelopeView& /*envelope*/,
                                   EncodeState* /*state*/, char* out) const {
    return out;
  }

  // Takes the record at the front of `body`, which is not empty, into
  // `state->envelope`. After an error the envelope and the rest of the body
  // mean nothing.
  virtual absl::Status NextRecord(absl::string_view* body,
                                  DecodeState* state) const = 0;

  // One envelope alone. Decoding puts it into `state->envelope`, whatever was
  // there.
  virtual void EncodeStandalone(const EnvelopeView& envelope,
                                std::string* out) const = 0;
  virtual absl::Status DecodeStandalone(absl::string_view message,
                                        DecodeState* state) const = 0;
};

}  // namespace cluster

#endif  // CLUSTER_CODEC_CODEC_H_
