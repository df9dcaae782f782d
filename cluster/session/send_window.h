// SendWindow: frames that were transmitted and are not known to be consumed.
//
// It has the sequence numbers, retransmission (go-back-N: the receiver takes
// only the next frame) and the credit in bytes. Session has the clock. Not
// thread-safe. Reserve and Reset may throw std::bad_alloc, and then have changed
// nothing.
//
//   front            received_through     next_transmit        next_sequence
//     |-- received, not consumed --|-- in flight --|-- to be sent again --|

#ifndef CLUSTER_SESSION_SEND_WINDOW_H_
#define CLUSTER_SESSION_SEND_WINDOW_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "cluster/base/ring.h"
#include "cluster/codec/frame_header.h"
#include "cluster/session/batch.h"
#include "cluster/session/flight_limit.h"
#include "cluster/session/session_config.h"
#include "cluster/transport/frame.h"

namespace cluster::internal {

enum class AckResult {
  kNothingNew,
  kProgress,    // something was received or consumed that was not before
  kImpossible,  // it acknowledges what was never sent, or takes an
                // acknowledgement back into nonsense
};

class SendWindow {
 public:
  struct Sent {
    // Room for its header. Null if the room in front of it is free: no other
    // peer shares the batch, and no earlier session sent the chunk.
    std::shared_ptr<char> other_header;
    Batch batch;  // small: this frame; large: the record that it is a part of
    FrameHeader header;      // as it was first, with old acknowledgements
    std::size_t offset = 0;  // of this frame's body in the batch's
    std::size_t body_bytes = 0;
    std::uint32_t envelopes = 0;       // that end in this frame
    int transmissions = 0;             // that were taken
    FlightLimit::Departure departure;  // of the first

    // It is a batch that is one frame.
    void SetWhole() {
      body_bytes = batch.body_bytes;
      envelopes = batch.records;
    }
    // `dropped`: see TellFates.
    void Tell(absl::optional<DropReason> dropped) const {
      if (envelopes > 0 && (batch.options != nullptr || batch.parts != nullptr))
        TellFates(batch, dropped);
    }
    bool last_chunk() const { return offset + body_bytes == batch.body_bytes; }
    // The bytes that the sender holds for it. The chunks of one record share its
    // buffer, which the queue holds until the last one is cut.
    std::size_t held_bytes() const {
      return FrameCharge(!batch.large   ? body_bytes
                         : last_chunk() ? batch.body_bytes
                                        : 0) +
             (batch.parts == nullptr
                  ? 0
                  : (batch.parts->size() - 1) * kFrameChargeBytes);
    }
    // Where the header of the first transmission goes.
    char* header_place() const {
      if (other_header != nullptr) return other_header.get();
      return batch.large ? batch.chunk_header(offset) : batch.header();
    }
  };

  // A new session: sequence numbers begin at 1 again. Returns the frames that
  // were not consumed, in order.
  std::vector<Sent> Reset();
  // The same, and drops them.
  void Clear();
  // Tells that all are about to be dropped.
  void TellDropped(DropReason reason) const;

  // The frame that is to be transmitted next among those that were transmitted
  // before, or null.
  const Sent* Rewound() const;
  // Takes a new frame, as transmitted, with NextSequence as its sequence.
  std::uint64_t NextSequence() const { return next_sequence_; }
  // Makes the place that the next Add takes, so that it needs no memory.
  void Reserve() { sent_.Reserve(1); }
  void Add(Sent&& sent);
  // The frame that Rewound returned was transmitted. True if not for the first
  // time.
  bool MarkTransmitted();
  // The transport did not take the frame that was transmitted last (new or
  // again): it is still to be transmitted. True if that was not the first time.
  bool UndoLast();

  // Everything in flight is to be transmitted again.
  void Rewind();

  AckResult Acknowledge(std::uint64_t received_through,
                        std::uint64_t consumed_through);

  // `frame` is empty before.
  static void FillFrame(const Sent& sent, Frame* frame);
  // The same behind another header; the first one may still be on its way.
  static void FillFrame(const Sent& sent, std::shared_ptr<char> header,
                        Frame* frame);

  std::size_t inflight_bytes() const { return inflight_bytes_; }
  int inflight_frames(Lane lane) const {
    return inflight_frames_[static_cast<std::size_t>(lane)];
  }
  // Charged, for all frames that the peer has received; and of the last one.
  std::uint64_t received_bytes() const { return received_bytes_; }
  const FlightLimit::Departure& last_departure() const {
    return last_departure_;
  }
  bool inflight() const { return next_transmit_ > received_through_ + 1; }
  bool all_received() const { return next_sequence_ == received_through_ + 1; }
  // Charged to the receiver's window.
  std::size_t unconsumed_bytes() const { return unconsumed_bytes_; }
  // Held by the sender: of a large record all, until its last chunk is consumed.
  std::size_t held_bytes() const { return held_bytes_; }
  bool empty() const { return sent_.empty(); }
  // Transmitted; and of the last frame, if the transport has never taken it.
  std::uint64_t envelopes() const { return envelopes_ - untaken_envelopes(); }
  std::uint64_t untaken_envelopes() const {
    return empty() || At(next_sequence_ - 1).transmissions > 0
               ? 0
               : At(next_sequence_ - 1).envelopes;
  }
  std::uint64_t acknowledged_envelopes() const {
    return acknowledged_envelopes_;
  }
  // The ordinal (send_queue.h) of the lane's first envelope in here; 0 if there
  // is none.
  std::uint64_t FrontOrdinal(Lane lane) const;
  std::uint64_t received_through() const { return received_through_; }
  std::uint64_t last_transmitted() const { return next_transmit_ - 1; }
  const Sent& At(std::uint64_t sequence) const {
    return sent_[static_cast<std::size_t>(sequence - front_sequence_)];
  }

 private:
  Sent& MutableAt(std::uint64_t sequence) {
    return sent_[static_cast<std::size_t>(sequence - front_sequence_)];
  }
  void Count(const Sent& sent, int sign);

  Ring<Sent> sent_;                   // front_sequence_ .. next_sequence_ - 1
  std::uint64_t front_sequence_ = 1;  // consumed_through + 1
  std::uint64_t received_through_ = 0;
  std::uint64_t next_transmit_ = 1;
  std::uint64_t next_sequence_ = 1;
  // No frame of the lane before this sequence is left: FrontOrdinal passes each
  // frame once.
  mutable std::array<std::uint64_t, kLanes> lane_front_{};
  std::size_t inflight_bytes_ = 0;
  std::uint64_t received_bytes_ = 0;
  FlightLimit::Departure last_departure_;
  std::array<int, kLanes> inflight_frames_{};
  std::size_t unconsumed_bytes_ = 0;
  std::size_t held_bytes_ = 0;
  std::uint64_t envelopes_ = 0;
  std::uint64_t acknowledged_envelopes_ = 0;  // in all sessions
};

}  // namespace cluster::internal

#endif  // CLUSTER_SESSION_SEND_WINDOW_H_
