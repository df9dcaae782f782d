// LineReader: reads lines from a descriptor that the caller polls.
//
// A buffer that gives out whole lines, and the last one even without its
// newline. A line without end cannot grow beyond a bound. It does not block if
// Fill is called only when poll says so. One thread at a time; the descriptor
// stays the caller's.
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

  // Reads once what is there. An error counts as the end.
  void Fill();

  // The next line, without its newline; false: none is whole yet. A line over
  // the bound is given out cut at the bound, with `cut()` set until the next.
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
  bool skipping_ = false;  // the rest of a line that was given out cut
};

}  // namespace cluster

#endif  // PROGRAMS_LINE_READER_H_
