// Reassembly: one large record from the chunks that it travels in.
//
// One per lane: the chunks of a record follow each other within a lane, with
// frames of other lanes in between. A record that claims more than the limit is
// refused, and memory is written only as chunks arrive. The whole record is a
// slice of its own. Not thread-safe.

#ifndef CLUSTER_SESSION_REASSEMBLY_H_
#define CLUSTER_SESSION_REASSEMBLY_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/strings/string_view.h"
#include "cluster/base/buffer_pool.h"
#include "cluster/codec/frame_header.h"
#include "cluster/session/memory_budget.h"
#include "cluster/transport/frame.h"

namespace cluster::internal {

class Reassembly {
 public:
  enum class Result {
    kPart,    // more is to come
    kWhole,   // `whole` is the record
    kBroken,  // the chunks contradict each other or the limit
  };

  // Borrows the pool.
  Reassembly(BufferPool* buffers, std::size_t record_bytes_max)
      : buffers_(buffers), record_bytes_max_(record_bytes_max) {}

  // Drops an unfinished record.
  void Reset();

  // Takes the next chunk of the lane. `claim`: with the first one, room for the
  // record. It goes back with the last share of the whole, or with Reset.
  Result Add(ChunkState chunk, std::uint64_t total_bytes,
             absl::string_view body, Slice* whole, ReassemblyClaim claim = {});
  // Whether a first chunk may be added whose record has so many bytes.
  bool MayBegin(std::uint64_t total_bytes) const {
    return !unfinished() && total_bytes <= record_bytes_max_;
  }

  bool unfinished() const { return buffer_ != nullptr; }

 private:
  BufferPool* const buffers_;
  const std::size_t record_bytes_max_;
  std::shared_ptr<char> buffer_;
  ReassemblyClaim claim_;
  std::size_t total_bytes_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace cluster::internal

#endif  // CLUSTER_SESSION_REASSEMBLY_H_
