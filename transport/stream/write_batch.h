// Frames that wait, and the frames of one write.
//
// A WriteBatch takes frames from a FrameQueue, copies lengths and small slices
// side by side, and refers to large slices where they are. So thousands of
// small frames or some large ones make one system call of a few segments. It
// follows how far a write got, and gives back the frames of which nothing was
// written. An idle one holds little. Not thread-safe. During a write only the
// writer uses the batch, since the segments point into it.
//
//   batch.Fill(&queue);
//   while (!batch.done()) batch.Advance(writev(fd, batch.segments()));
//   batch.Clear();

#ifndef CLUSTER_TRANSPORT_STREAM_WRITE_BATCH_H_
#define CLUSTER_TRANSPORT_STREAM_WRITE_BATCH_H_

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "cluster/base/ring.h"
#include "cluster/transport/frame.h"

namespace cluster::internal {
namespace stream {

// First in first out, with the sum of its bytes. Its owner bounds it. Taking
// from an empty one aborts.
class FrameQueue {
 public:
  bool empty() const { return ring_.empty(); }
  std::size_t size() const { return ring_.size(); }
  std::size_t bytes() const { return bytes_; }

  const Frame& front() const { return ring_.front(); }

  void PushBack(Frame frame) {
    const std::size_t bytes = frame.size();
    ring_.PushBack(std::move(frame));
    bytes_ += bytes;
  }

  // For a frame that was taken and not sent after all.
  void PushFront(Frame frame) {
    const std::size_t bytes = frame.size();
    ring_.PushFront(std::move(frame));
    bytes_ += bytes;
  }

  Frame PopFront() {
    Frame frame = ring_.PopFront();
    bytes_ -= frame.size();
    return frame;
  }

 private:
  Ring<Frame> ring_;
  std::size_t bytes_ = 0;
};

class WriteBatch {
 public:
  // nng 1.5.2 refuses more segments in one operation.
  static constexpr std::size_t kSegmentsMax = 8;
  static constexpr std::size_t kStagingBytes = 128u << 10;
  // A slice up to this long is copied: cheaper than a segment of its own.
  static constexpr std::size_t kCopiedBytesMax = 8u << 10;
  // A lone frame needs no such staging. So many of them in a row free it.
  static constexpr int kLoneFramesMax = 64;

  WriteBatch();
  WriteBatch(const WriteBatch&) = delete;
  WriteBatch& operator=(const WriteBatch&) = delete;

  // Takes frames while they fit, at least one into an empty batch. Only before
  // the first Advance. Throws std::bad_alloc if memory ends before the first
  // frame; if it ends later, takes fewer.
  void Fill(FrameQueue* queue);

  bool done() const { return segments_begin_ == segments_.size(); }

  // The rest to write; valid until the next Advance or Clear.
  absl::Span<const absl::string_view> segments() const {
    return absl::MakeConstSpan(segments_).subspan(segments_begin_);
  }

  // `bytes` more have been written.
  void Advance(std::size_t bytes);

  // Puts the frames of which no byte has been written back to the front of
  // `queue`. Only Clear may follow.
  void ReturnUntouched(FrameQueue* queue);

  // Drops the frames.
  void Clear();

 private:
  struct Entry {
    Frame frame;
    std::size_t begin = 0;  // offset in the batch of its length
  };

  bool HasRoomForEntry();
  void ChooseStaging(std::size_t frames);
  bool IsCopied(const Slice& slice) const {
    return slice.bytes.size() <= copied_bytes_max_;
  }
  std::size_t CopiedBytes(const Frame& frame) const;
  bool Add(const Frame& frame);
  void Stage(const char* from, std::size_t bytes);

  // For a lone frame, of which less is copied.
  static constexpr std::size_t kSmallBytes = 256;
  static constexpr std::size_t kSmallCopiedBytesMax = 120;

  char small_[kSmallBytes];
  std::unique_ptr<char[]> large_;  // null: not needed lately
  int lone_frames_ = 0;            // since it was
  // Of this batch.
  char* staging_ = small_;
  std::size_t staging_bytes_ = kSmallBytes;
  std::size_t copied_bytes_max_ = kSmallCopiedBytesMax;
  std::size_t staged_ = 0;
  std::vector<absl::string_view> segments_;
  std::size_t segments_begin_ = 0;
  std::vector<Entry> entries_;
  std::size_t bytes_ = 0;
  std::size_t written_ = 0;
};

}  // namespace stream
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_STREAM_WRITE_BATCH_H_
