// Frames: the unit that a transport carries.
//
// A frame to send is a short list of slices, sent as their concatenation; a
// received frame is one contiguous slice, or two where the transport hands over
// a small one and a large one as they were sent. A slice is a view together
// with a share in what keeps its bytes alive, so the same bytes can be sent to
// three peers, kept for retransmission and lent to a reader, uncopied.
//
// Not here: what the bytes mean (codec/frame_header.h).
//
// Threads: a slice is a value; the bytes behind it never change once a
// transport has seen them, and the last share may be dropped on any thread.
// Errors: none.
//
//   auto text = std::make_shared<const std::string>("hello");
//   cluster::Frame frame{{cluster::Slice{text, *text}}};
//   transport->Send(2, frame);

#ifndef CLUSTER_TRANSPORT_FRAME_H_
#define CLUSTER_TRANSPORT_FRAME_H_

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace cluster {

// Bytes and a share in their owner. An empty slice may have no owner.
struct Slice {
  std::shared_ptr<const void> owner;
  absl::string_view bytes;
};

// Moves `text` into a slice of its own.
inline Slice MakeSlice(std::string text) {
  auto owner = std::make_shared<const std::string>(std::move(text));
  const absl::string_view bytes = *owner;
  return Slice{std::move(owner), bytes};
}

// A frame to send: the concatenation of its slices.
struct Frame {
  absl::InlinedVector<Slice, 2> slices;

  std::size_t size() const {
    std::size_t bytes = 0;
    for (const Slice& slice : slices) bytes += slice.bytes.size();
    return bytes;
  }
};

// A frame that arrived: the concatenation of its slices.
struct ReceivedFrame {
  Slice slice;
  // What follows: nothing, but where the sender's frame was of a small slice
  // and a large one and the transport carries these as they are, to copy
  // neither.
  Slice rest;
  // The server that the connection proved to be, by the transport's own
  // security; none where it proves nothing.
  absl::optional<int> identity;

  // A copy, for who wants it in one piece.
  std::string ToString() const {
    std::string all(slice.bytes);
    all.append(rest.bytes.data(), rest.bytes.size());
    return all;
  }
};

}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_FRAME_H_
