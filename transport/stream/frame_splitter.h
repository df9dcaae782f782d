// Cuts the bytes of a stream into frames, without copying them and without I/O:
// the reading half of preamble.h. Not thread-safe.
//
// A buffer is filled from end to end before the next one begins. So frames pin
// the buffers that they fill, and at most one more. It holds about four reads
// of the recent size, in whole frames of the last size. So quiet streams hold
// little, and equal frames are never moved.
//
// A frame longer than two buffers and than all before it gets memory as its
// bytes arrive, at most twice what has arrived. So a mere claim costs nothing.
//
//   splitter.Commit(read(fd, splitter.Room().data(), splitter.Room().size()));
//   while (splitter.Next(&slice) == FrameSplitter::Step::kFrame) Use(slice);

#ifndef CLUSTER_TRANSPORT_STREAM_FRAME_SPLITTER_H_
#define CLUSTER_TRANSPORT_STREAM_FRAME_SPLITTER_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/types/span.h"
#include "cluster/base/buffer_pool.h"
#include "cluster/transport/frame.h"

namespace cluster::internal {
namespace stream {

class FrameSplitter {
 public:
  // A block of 1 KiB of the pool.
  static constexpr std::size_t kBufferBytesMin = (1u << 10) - 64;

  enum class Step {
    kFrame,
    kMore,
    kBad,
  };
  enum class Fault {
    kNone,
    kStranger,      // not this protocol
    kTls,           // TLS
    kOtherVersion,  // of this protocol
    kTooLong,
  };

  // `read_buffer_bytes` is at least kBufferBytesMin.
  FrameSplitter(std::shared_ptr<BufferPool> pool, std::size_t frame_bytes_max,
                std::size_t read_buffer_bytes);

  // Where the next bytes go; never empty. Call it when Next returned kMore.
  absl::Span<char> Room();
  void Commit(std::size_t bytes);

  Step Next(Slice* frame);

  Fault fault() const { return fault_; }
  bool has_preamble() const { return has_preamble_; }
  std::size_t buffer_bytes() const { return capacity_; }

 private:
  std::size_t unread() const { return end_ - begin_; }
  Step TakePreamble();
  Step Fail(Fault fault);
  bool FrameFits(std::size_t frame_bytes) const;
  // The memory that an incomplete frame may have now.
  std::size_t Allowed(std::size_t frame_bytes) const;
  std::size_t UsualBytes() const;
  void StartBuffer(std::size_t bytes);

  const std::shared_ptr<BufferPool> pool_;
  const std::size_t frame_bytes_max_;
  const std::size_t read_buffer_bytes_;

  std::shared_ptr<char> buffer_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;  // of the bytes that no frame has yet
  std::size_t end_ = 0;    // of the bytes read
  bool has_preamble_ = false;
  Fault fault_ = Fault::kNone;
  // Both include the length field.
  std::size_t last_frame_bytes_ = 0;
  std::size_t longest_frame_bytes_ = 0;
  // Reads into this buffer, and their bytes.
  std::size_t reads_ = 0;
  std::size_t read_bytes_ = 0;
};

}  // namespace stream
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_STREAM_FRAME_SPLITTER_H_
