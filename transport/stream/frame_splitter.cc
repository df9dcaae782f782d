#include "cluster/transport/stream/frame_splitter.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "cluster/base/check.h"
#include "cluster/transport/stream/preamble.h"

namespace cluster::internal {
namespace stream {
namespace {

// Shorter frames do not decide how long a buffer is.
constexpr std::size_t kAlignedFrameBytesMin = 4u << 10;

// A rest of a buffer is not read into if it is a smaller part than 1/kRestPart.
constexpr std::size_t kRestPart = 8;

// The size of the frame whose length is at `at`, with that length.
std::size_t WholeBytes(const char* at) {
  return kLengthBytes + (std::size_t{LoadLength(at)});
}

}  // namespace

FrameSplitter::FrameSplitter(std::shared_ptr<BufferPool> pool,
                             std::size_t frame_bytes_max,
                             std::size_t read_buffer_bytes)
    : pool_(std::move(pool)),
      frame_bytes_max_(frame_bytes_max),
      read_buffer_bytes_(read_buffer_bytes) {}

FrameSplitter::Step FrameSplitter::Next(Slice* frame) {
  if (fault_ != Fault::kNone) return Step::kBad;
  if (!has_preamble_) {
    const Step step = TakePreamble();
    if (step != Step::kFrame) return step;
  }
  if (unread() < kLengthBytes) return Step::kMore;
  const char* const at = buffer_.get() + begin_;
  const std::size_t length = LoadLength(at);
  if (length > frame_bytes_max_) return Fail(Fault::kTooLong);
  const std::size_t whole = kLengthBytes + length;
  if (unread() < whole) return Step::kMore;
  frame->owner = buffer_;
  frame->bytes = absl::string_view(at + kLengthBytes, length);
  begin_ += whole;
  last_frame_bytes_ = whole;
  longest_frame_bytes_ = std::max(longest_frame_bytes_, whole);
  return Step::kFrame;
}

FrameSplitter::Step FrameSplitter::Fail(Fault fault) {
  fault_ = fault;
  return Step::kBad;
}

FrameSplitter::Step FrameSplitter::TakePreamble() {
  const std::size_t known = std::min(unread(), kPreambleBytes);
  if (known == 0) return Step::kMore;
  const absl::string_view begin(buffer_.get() + begin_, known);
  if (begin != Preamble().substr(0, known)) {
    if (known > kMagicBytes && absl::StartsWith(begin, kMagic)) {
      return Fail(Fault::kOtherVersion);
    }
    return Fail(begin[0] == kTlsFirstByte ? Fault::kTls : Fault::kStranger);
  }
  if (known < kPreambleBytes) return Step::kMore;
  begin_ += kPreambleBytes;
  has_preamble_ = true;
  return Step::kFrame;
}

absl::Span<char> FrameSplitter::Room() {
  const std::size_t rest = capacity_ - end_;
  if (has_preamble_ && unread() >= kLengthBytes) {
    const std::size_t whole = WholeBytes(buffer_.get() + begin_);
    const bool grows_here =
        begin_ == 0 && rest > 0 && capacity_ >= Allowed(whole);
    if (!FrameFits(whole) && !grows_here) {
      StartBuffer(std::max(Allowed(whole), UsualBytes()));
    }
  } else if (rest == 0 || rest < capacity_ / kRestPart) {
    StartBuffer(UsualBytes());
  }
  return absl::MakeSpan(buffer_.get() + end_, capacity_ - end_);
}

void FrameSplitter::Commit(std::size_t bytes) {
  CLUSTER_CHECK(bytes <= capacity_ - end_, "more bytes than there was room");
  end_ += bytes;
  ++reads_;
  read_bytes_ += bytes;
}

bool FrameSplitter::FrameFits(std::size_t frame_bytes) const {
  return begin_ + frame_bytes <= capacity_;
}

std::size_t FrameSplitter::Allowed(std::size_t frame_bytes) const {
  const std::size_t trusted =
      std::max(2 * read_buffer_bytes_, longest_frame_bytes_);
  // Doubles when full, not before.
  const std::size_t grown =
      begin_ == 0 && unread() < capacity_ ? unread() : 2 * unread();
  return std::min(frame_bytes, std::max(trusted, grown));
}

std::size_t FrameSplitter::UsualBytes() const {
  std::size_t bytes = reads_ == 0 ? 0 : 4 * (read_bytes_ / reads_);
  bytes = std::min(std::max(bytes, kBufferBytesMin), read_buffer_bytes_);
  const std::size_t frame = last_frame_bytes_;
  if (frame < kAlignedFrameBytesMin) return bytes;
  // The bytes of the next such frame that come with its length have to be moved
  // to where the rest goes. So keep them few.
  if (frame > 2 * read_buffer_bytes_) return kBufferBytesMin;
  return (bytes + frame - 1) / frame * frame;
}

void FrameSplitter::StartBuffer(std::size_t bytes) {
  // With nothing to move, release the buffer first. If no frame holds it, the
  // pool lends it again, and it is still in the cache.
  if (unread() == 0) buffer_ = nullptr;
  std::shared_ptr<char> buffer = pool_->Lend(bytes);
  if (unread() > 0) {
    std::memcpy(buffer.get(), buffer_.get() + begin_, unread());
  }
  buffer_ = std::move(buffer);
  capacity_ = bytes;
  end_ -= begin_;
  begin_ = 0;
  reads_ = 0;
  read_bytes_ = 0;
}

}  // namespace stream
}  // namespace cluster::internal
