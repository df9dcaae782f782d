// One binary record: the grammar of binary.h, apart from the Codec interface.
//
// Not here: standalone messages (binary.cc). Threads: pure functions on what
// they are given. Ownership: a read payload points into the body. Errors: those
// of binary.h.
//
//   char* end = WriteRecordFields(envelope, &context, out);
//   std::memcpy(end, envelope.payload.data(), envelope.payload.size());

#ifndef CODEC_BINARY_RECORD_H_
#define CODEC_BINARY_RECORD_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cluster/envelope.h"
#include "codec/codec.h"

namespace cluster {

// Of a record without its payload: a full one with every varint at its longest.
inline constexpr std::size_t kRecordFieldsBytesMax =
    1 + 8 + 10 + 5 + 5 + 2 + 10 + 1 + 10;

// Writes all of a record but the payload's bytes at `out`, which has room for
// kRecordFieldsBytesMax, and returns where the payload goes.
char* WriteRecordFields(const EnvelopeView& envelope, RecordContext* context,
                        char* out);

// Takes the record at the front of `body`, which is not empty.
absl::Status ReadRecord(absl::string_view* body, RecordContext* context,
                        EnvelopeView* envelope);

}  // namespace cluster

#endif  // CODEC_BINARY_RECORD_H_
