// Reads one envelope from a JSON object: the grammar of json.h, apart from the
// Codec interface.
//
// Threads: a pure function. Ownership: the payload lies in `scratch`. Errors:
// kInvalidArgument with what was wrong and at which byte of `text`.
//
//   RETURN_IF_ERROR(ReadJson(line, &state->scratch, &envelope));

#ifndef CLUSTER_CODEC_JSON_JSON_READ_H_
#define CLUSTER_CODEC_JSON_JSON_READ_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cluster/envelope.h"

namespace cluster {

// `text` is one object, with white space around it at most.
absl::Status ReadJson(absl::string_view text, std::string* scratch,
                      EnvelopeView* envelope);

}  // namespace cluster

#endif  // CLUSTER_CODEC_JSON_JSON_READ_H_
