// Reads one envelope from a JSON object, by the grammar of docs/wire-format.md.
//
// A pure function. The payload is in `scratch`. kInvalidArgument says what is
// wrong at which byte of `text`.
//
//   absl::Status status = ReadJson(line, &state->scratch, &state->envelope);

#ifndef CLUSTER_CODEC_JSON_JSON_READ_H_
#define CLUSTER_CODEC_JSON_JSON_READ_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cluster/envelope.h"

namespace cluster::internal {

// `text` is one object, with white space around it at most.
absl::Status ReadJson(absl::string_view text, std::string* scratch,
                      EnvelopeView* envelope);

// The same in the Go library's dialect. The payload of a `Msg` that is no string
// is its text, which may be in `text`, and that of null is empty.
absl::Status ReadGoJson(absl::string_view text, std::string* scratch,
                        EnvelopeView* envelope);

// Whether `text`, which is UTF-8, is one object or array and nothing else, and
// ReadGoJson takes it as a `Msg`.
bool IsJsonTree(absl::string_view text);

}  // namespace cluster::internal

#endif  // CLUSTER_CODEC_JSON_JSON_READ_H_
