// Batch: encoded records of one lane on their way to becoming frames.
//
// What it is: a buffer with room for a frame header in front of its records. A
// small batch becomes one frame, header and records in one piece. A large one
// holds a single record that is cut into chunks, each a frame of its own that
// shares the buffer. What it is not: a queue (send_queue.h) or a frame on the
// wire.
//
// Threads: a value; the bytes are shared with frames and do not change once a
// frame was made of them. Ownership: shared by the batch and every frame made
// of it.

#ifndef CLUSTER_LINK_BATCH_H_
#define CLUSTER_LINK_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/strings/string_view.h"
#include "cluster/envelope.h"
#include "codec/frame_header.h"
#include "transport/buffer_pool.h"

namespace cluster {

struct Batch {
  std::shared_ptr<char> buffer;  // kFrameHeaderBytes of room, then the records
  std::size_t body_bytes = 0;
  std::size_t capacity = 0;  // of the buffer, behind the header's room
  std::uint32_t records = 0;
  Lane lane = Lane::kNormal;
  bool large = false;  // one record, sent in chunks
  std::size_t cut_bytes =
      0;  // large: how much of the body has gone into chunks

  char* header() const { return buffer.get(); }
  char* body_begin() const { return buffer.get() + kFrameHeaderBytes; }
  char* body_end() const { return body_begin() + body_bytes; }
  absl::string_view body() const { return {body_begin(), body_bytes}; }
  std::size_t room() const { return capacity - body_bytes; }
};

// A batch with room for at least `capacity` bytes of records.
Batch NewBatch(BufferPool* buffers, Lane lane, std::size_t capacity);

// The batch in a buffer that nobody else holds and that is not much larger than
// it needs: itself if it is so already, else a copy.
Batch Compact(BufferPool* buffers, Batch batch);

}  // namespace cluster

#endif  // CLUSTER_LINK_BATCH_H_
