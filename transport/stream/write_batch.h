// WriteBatch: the frames of one write, as a few segments.
//
// It takes frames from a queue, copies lengths and small slices side by side into
// a staging buffer and lists large slices as they are, uncopied, so that
// thousands of small frames or some large ones make one system call. It follows
// how far a write got and gives back the frames of which nothing was written.
//
// Threads: one at a time; while a write is under way only its owner may touch
// it, since the segments point into it. Ownership: it holds the frames until
// Clear. Errors: Fill throws std::bad_alloc where memory ends before the first
// frame; then it took none. Later it takes fewer.
//
//   WriteBatch batch;
//   batch.Fill(&queue);
//   while (!batch.done()) batch.Advance(writev(fd, batch.segments()));
//   batch.Clear();

#ifndef CLUSTER_TRANSPORT_STREAM_WRITE_BATCH_H_
#define CLUSTER_TRANSPORT_STREAM_WRITE_BATCH_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "cluster/transport/frame.h"
#include "cluster/transport/stream/frame_queue.h"

namespace cluster {
namespace stream {

class WriteBatch {
 public:
  // nng 1.5.2 refuses more segments in one operation.
  static constexpr std::size_t kSegmentsMax = 8;
  static constexpr std::size_t kStagingBytes = 128u << 10;
  // A slice up to this long is copied: cheaper than a segment of its own.
  static constexpr std::size_t kCopiedBytesMax = 8u << 10;

  WriteBatch();

  // Takes frames while they fit; at least one, if there is any and the batch
  // is empty. Only before the first Advance.
  void Fill(FrameQueue* queue);

  bool done() const { return segments_begin_ == segments_.size(); }

  // What is left to write; valid until the next Advance or Clear.
  absl::Span<const absl::string_view> segments() const {
    return absl::MakeConstSpan(segments_).subspan(segments_begin_);
  }

  // So many of the bytes left have been written.
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
  bool Add(const Frame& frame);
  void AddWhole(const Frame& frame);
  void Stage(const char* from, std::size_t bytes);

  std::unique_ptr<char[]> staging_;
  std::size_t staged_ = 0;
  std::unique_ptr<char[]> flattened_;  // of a frame of too many large slices
  std::vector<absl::string_view> segments_;
  std::size_t segments_begin_ = 0;
  std::vector<Entry> entries_;
  std::size_t bytes_ = 0;
  std::size_t written_ = 0;
};

}  // namespace stream
}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_STREAM_WRITE_BATCH_H_
