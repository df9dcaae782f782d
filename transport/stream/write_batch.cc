#include "cluster/transport/stream/write_batch.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/base/check.h"
#include "cluster/transport/stream/preamble.h"

namespace cluster::internal {
namespace stream {
namespace {

// The first capacity of the list of frames, which doubles.
constexpr std::size_t kEntriesMin = 2;

// The frame in one slice, for one of more slices than a write takes. Costs an
// allocation and a copy.
Frame Joined(const Frame& frame) {
  std::string all;
  all.reserve(frame.size());
  for (const Slice& slice : frame.slices) absl::StrAppend(&all, slice.bytes);
  return Frame{{MakeSlice(std::move(all))}};
}

}  // namespace

// The list of segments never holds more than one write takes.
WriteBatch::WriteBatch() {
  segments_.reserve(kSegmentsMax);
  entries_.reserve(kEntriesMin);
}

void WriteBatch::Fill(FrameQueue* queue) {
  CLUSTER_CHECK(written_ == 0, "a write is under way");
  if (entries_.empty()) ChooseStaging(queue->size());
  while (!queue->empty() && HasRoomForEntry()) {
    const std::size_t begin = bytes_;
    if (Add(queue->front())) {
      entries_.push_back(Entry{queue->PopFront(), begin});
      continue;
    }
    if (!entries_.empty()) return;
    entries_.push_back(Entry{Joined(queue->front()), begin});
    queue->PopFront();
    Add(entries_.back().frame);
  }
}

// Without memory for the large one, the small one takes a frame or a few.
void WriteBatch::ChooseStaging(std::size_t frames) {
  if (frames > 1) {
    lone_frames_ = 0;
    if (large_ == nullptr) large_.reset(new (std::nothrow) char[kStagingBytes]);
  } else if (++lone_frames_ >= kLoneFramesMax) {
    large_ = nullptr;
  }
  const bool is_large = frames > 1 && large_ != nullptr;
  staging_ = is_large ? large_.get() : small_;
  staging_bytes_ = is_large ? kStagingBytes : kSmallBytes;
  copied_bytes_max_ = is_large ? kCopiedBytesMax : kSmallCopiedBytesMax;
}

// The bytes of the frame that Add copies.
std::size_t WriteBatch::CopiedBytes(const Frame& frame) const {
  std::size_t bytes = kLengthBytes;
  for (const Slice& slice : frame.slices)
    if (IsCopied(slice)) bytes += slice.bytes.size();
  return bytes;
}

// False: there is no memory for one more entry, and there are some already.
bool WriteBatch::HasRoomForEntry() {
  if (entries_.size() < entries_.capacity()) return true;
  try {
    entries_.reserve(2 * entries_.capacity());
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

bool WriteBatch::Add(const Frame& frame) {
  std::size_t segments = 2;  // the length, and small slices after the last
  for (const Slice& slice : frame.slices)
    if (!IsCopied(slice)) segments += 2;  // and the small slices before it
  // A large slice at the end needs no segment after it. That is the common
  // case: a header and a body.
  if (!frame.slices.empty() && !IsCopied(frame.slices.back())) --segments;
  if (segments_.size() + segments - 1 > kSegmentsMax) return false;
  if (staged_ + CopiedBytes(frame) > staging_bytes_) return false;

  char length[kLengthBytes];
  StoreLength(static_cast<std::uint32_t>(frame.size()), length);
  Stage(length, kLengthBytes);
  for (const Slice& slice : frame.slices) {
    if (IsCopied(slice)) {
      Stage(slice.bytes.data(), slice.bytes.size());
      continue;
    }
    segments_.push_back(slice.bytes);
    bytes_ += slice.bytes.size();
  }
  return true;
}

void WriteBatch::Stage(const char* from, std::size_t bytes) {
  if (bytes == 0) return;
  char* const to = staging_ + staged_;
  std::memcpy(to, from, bytes);
  staged_ += bytes;
  bytes_ += bytes;
  if (!segments_.empty()) {
    absl::string_view& last = segments_.back();
    if (last.data() + last.size() == to) {
      last = absl::string_view(last.data(), last.size() + bytes);
      return;
    }
  }
  segments_.push_back(absl::string_view(to, bytes));
}

void WriteBatch::Advance(std::size_t bytes) {
  written_ += bytes;
  CLUSTER_CHECK(written_ <= bytes_, "more was written than there was");
  while (bytes > 0) {
    absl::string_view& segment = segments_[segments_begin_];
    const std::size_t part = std::min(bytes, segment.size());
    segment.remove_prefix(part);
    bytes -= part;
    if (segment.empty()) ++segments_begin_;
  }
}

void WriteBatch::ReturnUntouched(FrameQueue* queue) {
  while (!entries_.empty() && entries_.back().begin >= written_) {
    queue->PushFront(std::move(entries_.back().frame));
    entries_.pop_back();
  }
}

void WriteBatch::Clear() {
  entries_.clear();
  segments_.clear();
  segments_begin_ = 0;
  staged_ = 0;
  bytes_ = 0;
  written_ = 0;
}

}  // namespace stream
}  // namespace cluster::internal
