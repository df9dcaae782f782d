// TokenCursor: where the tokens of a JSON text begin, in lines and columns.
//
// What it is: a walk over the text in step with a parser that reports each
// token after it has been read; it finds the token's first character by itself.
// What it is not: a check of the grammar.
//
// Threads: none. Ownership: borrows the text. Cost: one pass over the text.

#ifndef CLUSTER_CONFIG_TOKEN_CURSOR_H_
#define CLUSTER_CONFIG_TOKEN_CURSOR_H_

#include <cstddef>

#include "absl/strings/string_view.h"

namespace cluster::internal {

class TokenCursor {
 public:
  explicit TokenCursor(absl::string_view text) : text_(text) {}

  // Moves to the first character of the next token, over what separates tokens.
  void ToNextToken() {
    while (offset_ < text_.size() && IsSeparator(text_[offset_])) Step();
  }

  // Moves forward to `offset`, or to the end if that comes first.
  void To(std::size_t offset) {
    while (offset_ < offset && offset_ < text_.size()) Step();
  }

  std::size_t offset() const { return offset_; }
  int line() const { return line_; }
  int column() const { return column_; }

 private:
  static bool IsSeparator(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',' ||
           c == ':';
  }

  void Step() {
    const char c = text_[offset_++];
    if (c == '\n') {
      ++line_;
      column_ = 1;
    } else if ((c & 0xc0) != 0x80) {
      ++column_;  // the later bytes of a UTF-8 character do not count
    }
  }

  absl::string_view text_;
  std::size_t offset_ = 0;
  int line_ = 1;
  int column_ = 1;
};

}  // namespace cluster::internal

#endif  // CLUSTER_CONFIG_TOKEN_CURSOR_H_
