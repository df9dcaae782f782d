// Frame, ReceivedFrame: the unit that a transport carries. Slice: a piece of
// one. FrameSource: where it came from.
//
// A frame to send is a short list of slices, sent as their concatenation. A
// received frame is one slice, or two: some transports hand over a small and a
// large one as they were sent. A slice is a view with a share in the owner of
// its bytes. So the same bytes can go to three peers, wait for retransmission
// and serve a reader, uncopied. codec/frame_header.h gives the bytes a meaning.
//
// A slice is a value. Its bytes never change once a transport has seen them.
// Any thread may drop the last share.
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

// Where a connection comes from. The text is made only when it is asked for: to
// report what was refused.
class FrameSource {
 public:
  // For people: "10.0.0.2:40112", or without the port; "" if it is not known.
  virtual std::string Text() const = 0;

 protected:
  ~FrameSource() = default;
};

// A frame that arrived: the concatenation of its slices.
struct ReceivedFrame {
  Slice slice;
  // The second slice; mostly empty. Transports that carry a small and a large
  // slice as they are, to copy neither, put the large one here.
  Slice rest;
  // The server that the connection proved to be, by the transport's own
  // security; none where it proves nothing.
  absl::optional<int> identity;
  // The connection's; null if the transport cannot tell. Ends with OnFrame, or
  // with the last share in the slices if that is sooner.
  const FrameSource* source = nullptr;

  // A copy in one piece.
  std::string ToString() const {
    std::string all(slice.bytes);
    all.append(rest.bytes.data(), rest.bytes.size());
    return all;
  }
};

}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_FRAME_H_
