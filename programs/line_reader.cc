#include "programs/line_reader.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace cluster {

void LineReader::Fill() {
  constexpr std::size_t kReadBytes = 64u << 10;
  buffer_.erase(0, taken_);
  searched_ -= taken_;
  taken_ = 0;
  const std::size_t held = buffer_.size();
  buffer_.resize(held + kReadBytes);
  const ssize_t bytes = read(descriptor_, &buffer_[held], kReadBytes);
  buffer_.resize(held + static_cast<std::size_t>(std::max<ssize_t>(bytes, 0)));
  if (bytes == 0 || (bytes < 0 && errno != EINTR && errno != EAGAIN))
    ended_ = true;
}

bool LineReader::Next(std::string* line) {
  cut_ = false;
  while (taken_ < buffer_.size()) {
    const std::size_t newline = buffer_.find('\n', searched_);
    const bool whole = newline != std::string::npos;
    const std::size_t end = whole ? newline : buffer_.size();
    const bool too_long = end - taken_ > line_bytes_max_;
    searched_ = end;
    if (!whole && !ended_ && !too_long && !skipping_) return false;
    line->assign(buffer_, taken_, std::min(end - taken_, line_bytes_max_));
    taken_ = searched_ = end + (whole ? 1 : 0);
    const bool was_skipping = skipping_;
    skipping_ = !whole && (too_long || was_skipping);
    if (was_skipping) continue;
    cut_ = too_long;
    return true;
  }
  return false;
}

}  // namespace cluster
