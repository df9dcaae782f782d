// LineReader: reads lines from a descriptor that the caller polls.
//
// A buffer that returns whole lines, and the last one even without its newline.
// It cuts lines over a bound. It does not block if you call Fill only when poll
// reports input. One thread at a time. The caller owns the descriptor.
//
//   while (poll(...) > 0 && !reader.ended()) {
//     reader.Fill();
//     std::string line;
//     while (reader.Next(&line)) { ... }
//   }

#ifndef PROGRAMS_LINE_READER_H_
#define PROGRAMS_LINE_READER_H_

#include <cstddef>
#include <string>

namespace cluster {

class LineReader {
 public:
  LineReader(int descriptor, std::size_t line_bytes_max)
      : descriptor_(descriptor), line_bytes_max_(line_bytes_max) {}

  // Reads once. An error counts as the end.
  void Fill();

  // Takes the next line, without its newline; false: no line is whole yet. A
  // line over the bound ends there, and `cut()` is true until the next one.
  bool Next(std::string* line);

  bool ended() const { return ended_; }  // no more will come
  bool cut() const { return cut_; }

 private:
  const int descriptor_;
  const std::size_t line_bytes_max_;
  std::string buffer_;
  std::size_t taken_ = 0;     // of buffer_
  std::size_t searched_ = 0;  // of buffer_, without a newline from taken_ on
  bool ended_ = false;
  bool cut_ = false;
  bool skipping_ = false;  // the rest of a line that was cut
};

}  // namespace cluster

#endif  // PROGRAMS_LINE_READER_H_
