// For the error of an unknown word: the known one that was probably meant, and
// all known ones.
//
// Takes a word of other case, a few wrong letters, and a part of a longer word
// ("addr", "timeout_ms"). Pure functions.
//
//   // `; did you mean "zmq"?; known: memory, nng, zmq`
//   return absl::StrCat("unknown transport \"zmp\"", KnownWords("zmp", names));

#ifndef CLUSTER_BASE_KNOWN_WORDS_H_
#define CLUSTER_BASE_KNOWN_WORDS_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace cluster::internal {

// `; did you mean "zmq"?`; "" if no known word is near enough.
std::string NearestWord(absl::string_view word,
                        const std::vector<std::string>& known);

// The same, and the list of all.
std::string KnownWords(absl::string_view word,
                       const std::vector<std::string>& known);

}  // namespace cluster::internal

#endif  // CLUSTER_BASE_KNOWN_WORDS_H_
