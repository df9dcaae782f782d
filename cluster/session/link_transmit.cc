// The transmitting half of Link: which frame leaves next, and when.
//
// Ack-clocked batching: while a lane has fewer than kEagerFrames frames on the
// way, whatever it has leaves at once, on the thread of whoever appended it.
// While it has more, envelopes gather, and leave when an acknowledgement comes
// or a batch is full; behind such a frame the next ones gather too. So an idle
// link adds no delay, and a busy one fills its frames.

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "cluster/session/link.h"

namespace cluster {
void Link::Rewind() {
  window_.Rewind();
  rtt_sequence_ = 0;
  AskAgain();
}

// What asked for consumption may be lost.
void Link::AskAgain() {
  if (Settled(ask_mark_last_)) return;
  ask_later_ = true;
  AskIfTransmitted();
}

// Some of the window is kept for the lanes that are more urgent.
std::size_t Link::WindowFor(Lane lane) const {
  const std::size_t window =
      static_cast<std::size_t>(handshake_.peer().window_bytes);
  switch (lane) {
    case Lane::kUrgent:
      return window;
    case Lane::kNormal:
      return window - window / 16;
    case Lane::kBulk:
      return window - window / 8;
  }
  return window;
}

std::size_t Link::NextBodyBytes(Lane lane) const {
  const Batch& front = queue_.Front(lane);
  return front.large ? front.chunk(front.cut_bytes).size() : front.body_bytes;
}

// Half is plenty for frames that are small beside it: more would only lie in
// queues, and grow cold. But four of the largest are to be on their way: while
// one travels another is summed and acknowledged, and with two the link would
// stand still at each late wake-up. Not so in the bulk lane, where little is to
// be ahead of what is urgent.
bool Link::FitsInFlight(Lane lane, std::size_t charge) const {
  if (!window_.inflight()) return true;
  const std::size_t half = config_.inflight_bytes / 2;
  const std::size_t most =
      lane == Lane::kBulk
          ? half
          : std::clamp(4 * charge, half, config_.inflight_bytes);
  return window_.inflight_bytes() + charge <= most;
}

// The next frame of a lane that is not empty.
bool Link::MayBeInFlight(Lane lane) const {
  const std::size_t charge = FrameCharge(NextBodyBytes(lane));
  if (!window_.empty() &&
      (window_.unconsumed_bytes() + charge > WindowFor(lane) ||
       !share_.Fits(Lane::kUrgent, held_bytes(), 0))) {
    return false;
  }
  // An urgent frame may exceed the limit by its own size, and only one at a
  // time.
  if (lane == Lane::kUrgent && window_.inflight_frames(lane) == 0) return true;
  return FitsInFlight(lane, charge);
}

bool Link::MayTransmit() const {
  if (!connected_ || !writable_) return false;
  if (goodbye_ != GoodbyeState::kNo)
    return goodbye_ == GoodbyeState::kDue && handshake_.established();
  if (refusal_due_) return true;
  if (ack_due_ || AskDue() || probe_due_ || handshake_.MayBeDue() ||
      window_.Rewound() != nullptr)
    return true;
  if (queue_.Empty() || !handshake_.established()) return false;
  for (Lane lane : kLanesByUrgency) {
    if (LaneReady(lane)) return true;
  }
  return false;
}

bool Link::NextFrame(absl::Time now, Frame* frame) {
  if (!connected_ || !writable_ || goodbye_ == GoodbyeState::kSaid)
    return false;
  frame->slices.clear();
  if (handshake_.Due(now) && goodbye_ == GoodbyeState::kNo) {
    *frame = HelloFrame(now);
  } else if (refusal_due_ && goodbye_ == GoodbyeState::kNo) {
    *frame = Lone(FrameKind::kRefusal, now, EncodeRefusal(refusal_));
    refusal_due_ = false;
  } else if (!handshake_.established()) {
    return false;
  } else if (goodbye_ == GoodbyeState::kDue) {
    *frame =
        Lone(FrameKind::kGoodbye, now, EncodeGoodbye({goodbye_reason_, ""}));
    goodbye_ = GoodbyeState::kSaid;
  } else if (!NextData(now, frame)) {
    if (!ack_due_ && !AskDue() && !probe_due_) return false;
    *frame = Lone(FrameKind::kControl, now);
  }
  ++stats_.frames_sent;
  last_bytes_ = frame->size();
  stats_.bytes_sent += last_bytes_;
  return true;
}

void Link::FrameNotTaken() {
  writable_ = false;
  --stats_.frames_sent;
  stats_.bytes_sent -= last_bytes_;
  switch (last_kind_) {
    case FrameKind::kHello:
      handshake_.Doubt();
      break;
    case FrameKind::kData:
      if (window_.UndoLast()) --stats_.frames_retransmitted;
      rtt_sequence_ = 0;
      ack_due_ = true;
      break;
    case FrameKind::kControl:
      ack_due_ = true;
      break;
    case FrameKind::kGoodbye:
      goodbye_ = GoodbyeState::kDue;
      break;
    case FrameKind::kRefusal:
      refusal_due_ = true;
      break;
  }
  gap_due_ = gap_due_ || (last_flags_ & kGap) != 0;
  probe_due_ = probe_due_ || (last_flags_ & kAckRequest) != 0;
  ask_consumed_ = ask_consumed_ || (last_flags_ & kConsumeRequest) != 0;
}

// Every frame tells how far we are, so making one settles what is due.
FrameHeader Link::Header(FrameKind kind, absl::Time now) {
  FrameHeader header;
  header.version =
      IsLasting(kind) ? config_.versions.max : handshake_.version();
  header.kind = kind;
  header.sender_id = static_cast<std::uint32_t>(config_.self_id);
  header.destination_id = static_cast<std::uint32_t>(config_.peer_id);
  header.session = handshake_.session();
  Stamp(now, &header);
  return header;
}

void Link::Stamp(absl::Time now, FrameHeader* header) {
  header->flags = 0;
  if (header->kind != FrameKind::kHello &&
      header->kind != FrameKind::kRefusal) {
    header->stamp = ++stamp_;
    header->received_through = receive_.received_through();
    header->consumed_through = receive_.consumed_through();
  }
  if (!IsLasting(header->kind)) {
    if (heard_) header->flags |= kHearsYou;
    if (gap_due_) header->flags |= kGap;
    if (probe_due_) header->flags |= kAckRequest;
    if (header->kind == FrameKind::kControl) {
      header->sequence = window_.last_transmitted();
      header->flags |= AskNow();
    }
    ack_due_ = gap_due_ = probe_due_ = false;
    ack_at_ = absl::InfiniteFuture();
    consumed_untold_bytes_ = 0;
  }
  last_sent_ = now;
  last_kind_ = header->kind;
  last_flags_ = header->flags;
}

Frame Link::HelloFrame(absl::Time now) {
  try {
    return Lone(FrameKind::kHello, now, EncodeHello(handshake_.Say(now)));
  } catch (const std::bad_alloc&) {
    handshake_.Doubt();  // it was not said
    throw;
  }
}

Frame Link::Lone(FrameKind kind, absl::Time now, absl::string_view body) {
  const std::size_t bytes = kFrameHeaderBytes + body.size();
  std::shared_ptr<char> buffer = config_.buffers->Lend(bytes);
  FrameHeader header = Header(kind, now);
  header.body_bytes = static_cast<std::uint32_t>(body.size());
  header.body_crc = Crc32c(body);
  EncodeFrameHeader(header, buffer.get());
  std::memcpy(buffer.get() + kFrameHeaderBytes, body.data(), body.size());
  const absl::string_view all(buffer.get(), bytes);
  return Frame{{Slice{std::move(buffer), all}}};
}

bool Link::NextData(absl::Time now, Frame* frame) {
  if (const SendWindow::Sent* again = window_.Rewound()) {
    if (one_at_a_time_ && window_.inflight()) return false;
    if (!FitsInFlight(again->batch.lane, FrameCharge(again->body_bytes)))
      return false;
    TransmitAgain(*again, now, frame);
    return true;
  }
  if (queue_.Empty()) return false;
  for (Lane lane : kLanesByUrgency) {
    while (LaneReady(lane) && DropUnfit(lane)) {
    }
    if (!LaneReady(lane)) continue;
    Transmit(lane, now, frame);
    return true;
  }
  return false;
}

// With a header of now: what the first one said of acknowledgements, and of
// whether the peer is heard, may have become wrong.
void Link::TransmitAgain(const SendWindow::Sent& sent, absl::Time now,
                         Frame* frame) {
  std::shared_ptr<char> place = config_.buffers->Lend(kFrameHeaderBytes);
  if (!window_.inflight()) timer_start_ = now;
  FrameHeader header = sent.header;
  Stamp(now, &header);
  if (window_.MarkTransmitted()) ++stats_.frames_retransmitted;
  header.flags |= DataFlags(header.lane, FrameCharge(sent.body_bytes));
  if (one_at_a_time_) header.flags |= kAckRequest;
  EncodeFrameHeader(header, place.get());
  SendWindow::FillFrame(sent, std::move(place), frame);
}

// Accepted before the peer had said what it takes.
bool Link::DropUnfit(Lane lane) {
  const Unfit unfit = queue_.DropUnfit(
      lane, handshake_.peer().payload_bytes_max, handshake_.features());
  stats_.dropped[static_cast<std::size_t>(DropReason::kTooLarge)] +=
      unfit.too_large;
  stats_.dropped[static_cast<std::size_t>(DropReason::kUnsupported)] +=
      unfit.unsupported;
  if (unfit.too_large + unfit.unsupported == 0) return false;
  AskIfTransmitted();
  return true;
}

// What needs memory comes first.
void Link::Transmit(Lane lane, absl::Time now, Frame* frame) {
  const Batch& front = queue_.Front(lane);
  const bool large = front.large;
  const std::size_t charge = FrameCharge(NextBodyBytes(lane));
  std::shared_ptr<char> other_header;
  if (front.shared || front.cut_bytes < front.headed_bytes)
    other_header = config_.buffers->Lend(kFrameHeaderBytes);
  window_.Reserve();
  SendWindow::Sent sent;
  if (!large) sent.batch = queue_.Take(lane);

  if (!window_.inflight()) timer_start_ = now;
  FrameHeader header = Header(FrameKind::kData, now);
  header.codec = config_.codec->Id();
  header.lane = lane;
  header.sequence = window_.NextSequence();
  if (large) {
    sent = CutChunk(lane, &header);
  } else {
    sent.body_bytes = sent.batch.body_bytes;
    sent.envelopes = header.records = sent.batch.records;
  }
  sent.other_header = std::move(other_header);
  gathered_[static_cast<std::size_t>(lane)] = header.records > 1;
  header.body_bytes = static_cast<std::uint32_t>(sent.body_bytes);
  header.body_crc = large ? LoadBodyCrc(sent.batch.chunk_header(sent.offset))
                          : sent.batch.body_crc;
  char* const place = sent.header_place();
  sent.header = header;
  SendWindow::FillFrame(sent, frame);
  window_.Add(std::move(sent));
  header.flags |= DataFlags(lane, charge);
  EncodeFrameHeader(header, place);
  if ((header.flags & kAckRequest) && rtt_sequence_ == 0) {
    rtt_sequence_ = header.sequence;
    rtt_start_ = now;
  }
}

SendWindow::Sent Link::CutChunk(Lane lane, FrameHeader* header) {
  SendWindow::Sent sent;
  sent.batch = queue_.Front(lane);
  sent.offset = sent.batch.cut_bytes;
  sent.body_bytes = NextBodyBytes(lane);
  const bool first = sent.offset == 0;
  const bool last = sent.offset + sent.body_bytes == sent.batch.body_bytes;
  sent.envelopes = last ? 1 : 0;
  header->records = first ? 1 : 0;
  header->chunk = first  ? ChunkState::kFirst
                  : last ? ChunkState::kLast
                         : ChunkState::kMiddle;
  header->chunk_total_bytes = sent.batch.body_bytes;
  queue_.CutFront(lane, sent.body_bytes);
  return sent;
}

// The flag, if a frame that is being made should ask: all that the question is
// about is transmitted, and no later than with this one.
std::uint8_t Link::AskNow() {
  if (!AskDue()) return 0;
  ask_consumed_ = false;
  return kConsumeRequest;
}

// An acknowledgement is asked for where the lane would have to wait for it, and
// eight times in every inflight_bytes, so that a stream never stands still; to
// hear of consumption, with the last frame that is to be consumed.
std::uint8_t Link::DataFlags(Lane lane, std::size_t charge) {
  unasked_bytes_ += charge;
  AskIfTransmitted();
  std::uint8_t flags = AskNow();
  const bool waits = window_.inflight_frames(lane) >= EagerFrames(lane) &&
                     !queue_.HasFull(lane);
  if (waits || unasked_bytes_ >= config_.inflight_bytes / 8) {
    unasked_bytes_ = 0;
    flags |= kAckRequest;
  }
  last_flags_ |= flags & kConsumeRequest;
  return flags;
}

}  // namespace cluster
