// Codec: how envelopes become bytes and back.
//
// Two forms of the same records. In a *body* many records stand one behind the
// other, and a record may lean on the one before it (a binary record costs a
// few bytes when only the id counts on); frames of the reliable delivery carry
// bodies, behind a header that no codec writes (frame_header.h). A *standalone*
// message is one envelope that needs nothing else; the best-effort delivery
// sends these. What it is not: a frame, a session, or a transport.
//
// Threads: a Codec is immutable and shared; an EncodeState or DecodeState
// belongs to one thread at a time. Ownership: the caller's buffers; a decoded
// envelope is the DecodeState's, points into the input or the state, and is
// valid until the next call with that state. Errors: encoding cannot fail when
// the buffer is as large as the bound says. Decoding takes any bytes and answers
// kInvalidArgument or kDataLoss with what was wrong and at which byte.
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

// What the next record of a body may lean on: the fields, payload aside, of the
// record before it.
struct RecordContext {
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

// A fresh state begins a body, or a stretch of one that leans on nothing before
// it: a decoder reads the concatenation of two stretches as one body.
struct EncodeState {
  RecordContext context;
};

// What was read last is also what the next record may lean on, so that reading
// a record which differs little from it writes little.
struct DecodeState {
  bool first = true;      // no record yet
  EnvelopeView envelope;  // the one that was read last
  // Where a codec that must unescape puts the payload: at most the bytes of the
  // record.
  std::string scratch;
};

class Codec {
 public:
  virtual ~Codec() = default;

  // As in the config: "binary".
  virtual absl::string_view Name() const = 0;
  // As in the frame header; 1-63 are the library's.
  virtual std::uint8_t Id() const = 0;

  // An upper bound of what AppendRecord writes for this envelope, in bytes.
  // Cheap.
  virtual std::size_t RecordBytesMax(const EnvelopeView& envelope) const = 0;

  // Writes one record at `out`, which has room for RecordBytesMax, and returns
  // its end.
  virtual char* AppendRecord(const EnvelopeView& envelope, EncodeState* state,
                             char* out) const = 0;

  // For large payloads, which are better copied once, to where they go in
  // pieces: how much AppendRecordFields writes at most, in bytes. 0: in this
  // codec's records the payload is not simply what comes last.
  virtual std::size_t RecordFieldsBytesMax() const { return 0; }
  // Writes all of what AppendRecord writes but the payload, which follows as it
  // is. Only where RecordFieldsBytesMax is not 0.
  virtual char* AppendRecordFields(const EnvelopeView& /*envelope*/,
                                   EncodeState* /*state*/, char* out) const {
    return out;
  }

  // Takes the record at the front of `body`, which is not empty, into
  // `state->envelope`. After an error that means nothing, nor does the rest of
  // the body.
  virtual absl::Status NextRecord(absl::string_view* body,
                                  DecodeState* state) const = 0;

  // One envelope alone; a read one is `state->envelope`, whatever was there.
  virtual void EncodeStandalone(const EnvelopeView& envelope,
                                std::string* out) const = 0;
  virtual absl::Status DecodeStandalone(absl::string_view message,
                                        DecodeState* state) const = 0;
};

}  // namespace cluster

#endif  // CLUSTER_CODEC_CODEC_H_
