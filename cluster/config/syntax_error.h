// SyntaxErrorText: RapidJSON's parse errors in plain words, with what stands at
// the place and what would be allowed there.
//
// Internal to this folder: RapidJSON's types show here.

#ifndef CLUSTER_CONFIG_SYNTAX_ERROR_H_
#define CLUSTER_CONFIG_SYNTAX_ERROR_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "rapidjson/error/error.h"

namespace cluster::internal {

// `offset` is where the error is told, which the caller may have moved back to
// the beginning of the token.
std::string SyntaxErrorText(absl::string_view text, std::size_t offset,
                            rapidjson::ParseErrorCode code);

}  // namespace cluster::internal

#endif  // CLUSTER_CONFIG_SYNTAX_ERROR_H_
