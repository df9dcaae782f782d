// The transmitting half of Session: which frame leaves next, and when.
//
// Ack-clocked batching: while a lane has fewer than kEagerFrames frames on the
// way, its envelopes leave at once, on the sender's thread. While it has more,
// they gather, and leave when an acknowledgement comes or a batch is full. Behind
// such a frame the next ones gather too. So an idle session adds no delay, and a
// busy one fills its frames.

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "cluster/session/session.h"

namespace cluster::internal {
namespace {

// Whether a frame of the batch says that the lane is busy.
bool Gathered(const Batch& batch) { return !batch.large && batch.records > 1; }

}  // namespace

void Session::Rewind() {
  window_.Rewind();
  look_ = true;
  flight_limit_.Forget();
  AskAgain();
}

// The frame that asked for consumption may be lost.
void Session::AskAgain() {
  if (Settled(ask_mark_last_)) return;
  ask_later_ = true;
  AskIfTransmitted();
}

// Some of the window is kept for the lanes that are more urgent.
std::size_t Session::WindowFor(Lane lane) const {
  const std::size_t window =
      static_cast<std::size_t>(handshake_.peer().window_bytes);
  switch (lane) {
    case Lane::kUrgent:
      return window;
    case Lane::kNormal:
      return window - window / 32;
    case Lane::kBulk:
      return window - window / 8;
  }
  return window;
}

// Half is plenty for frames that are small beside it: more would only grow cold in
// queues. But four of the largest may be on their way. While one travels another
// is summed and acknowledged; with two the session would wait at each late
// wake-up. In the bulk lane little may be ahead of urgent envelopes: on a long
// line, half as much again as it holds.
bool Session::FitsInFlight(Lane lane, std::size_t inflight_bytes,
                           std::size_t charge) const {
  if (inflight_bytes == 0) return true;
  if (flight_limit_.draining()) return false;
  const std::size_t half = config_.inflight_bytes / 2;
  const std::size_t line = flight_limit_.bytes();
  const std::size_t most =
      lane == Lane::kBulk
          ? std::max(BulkInFlight(config_.inflight_bytes, charge), line / 4 * 3)
          : std::max(std::clamp(4 * charge, half, config_.inflight_bytes),
                     line);
  return inflight_bytes + charge <= most;
}

// A frame that leaves anyway, to acknowledge, takes along what there is.
Want Session::WantOf(Lane lane, std::size_t body_bytes,
                     const SendWindow::Sent* ahead) const {
  const std::size_t charge = FrameCharge(body_bytes);
  std::size_t ahead_bytes = 0;
  int inflight_frames = window_.inflight_frames(lane);
  int eager_frames = EagerFrames(lane);
  if (ahead != nullptr) {
    ahead_bytes = FrameCharge(ahead->body_bytes);
    if (ahead->batch.lane == lane) {
      ++inflight_frames;
      eager_frames = Gathered(ahead->batch) ? 1 : kEagerFrames;
    }
  }
  const std::size_t unconsumed = window_.unconsumed_bytes() + ahead_bytes;
  if (unconsumed > 0 && unconsumed + charge > WindowFor(lane))
    return Want::kNothing;
  // An urgent frame may exceed the limit by its own size, and only one at a
  // time.
  if ((lane != Lane::kUrgent || inflight_frames > 0) &&
      !FitsInFlight(lane, window_.inflight_bytes() + ahead_bytes, charge))
    return Want::kNothing;
  const bool acknowledges = ack_due_ && ahead == nullptr;
  const bool gathers = !acknowledges && inflight_frames >= eager_frames;
  return gathers ? Want::kFull : Want::kAny;
}

bool Session::NextFrame(absl::Time now, Frame* frame) {
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
  } else if (left_ || !NextData(now, frame)) {
    if (!ack_due_ && !AskDue() && !probe_due_) return false;
    *frame = Lone(FrameKind::kControl, now);
  }
  ++stats_.frames_sent;
  last_bytes_ = frame->size();
  stats_.bytes_sent += last_bytes_;
  return true;
}

void Session::FrameNotTaken() {
  writable_ = false;
  queue_->WantNothing();
  --stats_.frames_sent;
  stats_.bytes_sent -= last_bytes_;
  switch (last_kind_) {
    case FrameKind::kHello:
      handshake_.Doubt();
      break;
    case FrameKind::kData:
      if (window_.UndoLast()) --stats_.frames_retransmitted;
      flight_limit_.OnNotSent(window_.last_transmitted() + 1);
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

// Every frame has both acknowledgements, so making one settles those that are due.
FrameHeader Session::Header(FrameKind kind, absl::Time now) {
  FrameHeader header;
  header.version =
      IsLasting(kind) ? config_.versions.max : handshake_.version();
  header.kind = kind;
  header.sender_id = static_cast<std::uint32_t>(config_.self_id);
  header.destination_id = static_cast<std::uint32_t>(config_.peer_id);
  header.session = kind == FrameKind::kHello ? handshake_.session_of_hello()
                                             : handshake_.session();
  Stamp(now, &header);
  return header;
}

void Session::Stamp(absl::Time now, FrameHeader* header) {
  header->flags = 0;
  if (header->kind != FrameKind::kHello &&
      header->kind != FrameKind::kRefusal) {
    header->stamp = ++stamp_;
    header->received_through = receive_.received_through();
    header->consumed_through = receive_.consumed_through();
  }
  if (!IsLasting(header->kind)) {
    if (heard_) header->flags |= kHearsYou;
    said_still_ = SaysStill();
    if (said_still_) header->flags |= kStandsStill;
    if (gap_due_) header->flags |= kGap;
    if (probe_due_) header->flags |= kAckRequest;
    if (header->kind == FrameKind::kControl) {
      header->sequence = window_.last_transmitted();
      header->flags |= AskNow();
    }
    ack_due_ = gap_due_ = probe_due_ = false;
    ack_at_ = absl::InfiniteFuture();
    consumed_unreported_bytes_ = 0;
    last_sent_ = now;
  }
  last_kind_ = header->kind;
  last_flags_ = header->flags;
}

Frame Session::HelloFrame(absl::Time now) {
  try {
    return Lone(FrameKind::kHello, now, EncodeHello(handshake_.Say(now)));
  } catch (const std::bad_alloc&) {
    handshake_.Doubt();  // it was not said
    throw;
  }
}

Frame Session::Lone(FrameKind kind, absl::Time now, absl::string_view body) {
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

bool Session::NextData(absl::Time now, Frame* frame) {
  if (const SendWindow::Sent* again = window_.Rewound()) {
    if (one_at_a_time_ && window_.inflight()) return false;
    if (!FitsInFlight(again->batch.lane, window_.inflight_bytes(),
                      FrameCharge(again->body_bytes)))
      return false;
    TransmitAgain(*again, now, frame);
    return true;
  }
  window_.Reserve();
  queue_->SetNow(absl::ToUnixNanos(now));
  absl::optional<SendQueue::Taken> taken = queue_->Take(
      window_.held_bytes(),
      [this](Lane lane, std::size_t body_bytes, const SendWindow::Sent* ahead) {
        return WantOf(lane, body_bytes, ahead);
      });
  look_ = taken && taken->more;
  if (taken) {
    Transmit(std::move(*taken), now, frame);
  } else {
    AskIfTransmitted();  // what it asks about may have been dropped
  }
  return taken.has_value();
}

// With a new header: the acknowledgements of the first one, and whether it hears
// the peer, may be wrong by now.
void Session::TransmitAgain(const SendWindow::Sent& sent, absl::Time now,
                            Frame* frame) {
  std::shared_ptr<char> place = config_.buffers->Lend(kFrameHeaderBytes);
  if (!window_.inflight()) timer_start_ = now;
  FrameHeader header = sent.header;
  Stamp(now, &header);
  if (window_.MarkTransmitted()) ++stats_.frames_retransmitted;
  header.flags |= DataFlags(header.lane, FrameCharge(sent.body_bytes),
                            window_.Rewound() != nullptr);
  if (one_at_a_time_) header.flags |= kAckRequest;
  EncodeFrameHeader(header, place.get());
  SendWindow::FillFrame(sent, std::move(place), frame);
}

// Nothing here needs memory: the frame is taken from the queue already.
void Session::Transmit(SendQueue::Taken taken, absl::Time now, Frame* frame) {
  SendWindow::Sent& sent = taken.sent;
  const bool large = sent.batch.large;
  const Lane lane = sent.batch.lane;
  const std::size_t charge = FrameCharge(sent.body_bytes);
  const bool alone = !window_.inflight();
  if (alone) timer_start_ = now;
  if (sent.offset == 0) {
    stats_.queue_times.Add(absl::Nanoseconds(std::max<std::int64_t>(
        absl::ToUnixNanos(now) - sent.batch.since_ns, 0)));
  }
  FrameHeader header = Header(FrameKind::kData, now);
  header.codec = config_.codec->Id();
  header.lane = lane;
  header.sequence = window_.NextSequence();
  if (large) {
    const bool first = sent.offset == 0;
    header.records = first ? 1 : 0;
    header.chunk = first               ? ChunkState::kFirst
                   : sent.last_chunk() ? ChunkState::kLast
                                       : ChunkState::kMiddle;
    header.chunk_total_bytes = sent.batch.body_bytes;
    header.body_crc = LoadBodyCrc(sent.batch.chunk_header(sent.offset));
  } else {
    header.records = sent.batch.records;
    header.body_crc = sent.batch.body_crc;
  }
  header.body_bytes = static_cast<std::uint32_t>(sent.body_bytes);
  gathered_[static_cast<std::size_t>(lane)] = Gathered(sent.batch);
  char* const place = sent.header_place();
  sent.header = header;
  sent.departure = {window_.received_bytes(), timer_start_};
  SendWindow::FillFrame(sent, frame);
  window_.Add(std::move(sent));
  header.flags |= DataFlags(lane, charge, taken.full_behind,
                            alone && flight_limit_.Asks(now));
  EncodeFrameHeader(header, place);
  if (header.flags & kAckRequest)
    flight_limit_.OnSent(header.sequence, alone, now);
}

// The flag for a frame that is being made, if it should ask: all that the question
// is about is transmitted by then.
std::uint8_t Session::AskNow() {
  if (!AskDue()) return 0;
  ask_consumed_ = false;
  return kConsumeRequest;
}

// Eight in every inflight_bytes, so that a stream never waits. On a long line
// credit takes a round trip, so none of it should wait for an acknowledgement.
std::size_t Session::AskEvery() const {
  const std::size_t near = config_.inflight_bytes / 8;
  if (flight_limit_.bytes() <= config_.inflight_bytes / 2) return near;
  return std::min(near, WindowFor(Lane::kUrgent) / 64);
}

// A frame asks for an acknowledgement where the lane would have to wait for one,
// now and then in a stream, and to be timed. The last frame of a mark asks for
// consumption.
std::uint8_t Session::DataFlags(Lane lane, std::size_t charge, bool full_behind,
                                bool asks) {
  unasked_bytes_ += charge;
  AskIfTransmitted();
  std::uint8_t flags = AskNow();
  const bool waits =
      window_.inflight_frames(lane) >= EagerFrames(lane) && !full_behind;
  if (asks || waits || unasked_bytes_ >= AskEvery()) {
    unasked_bytes_ = 0;
    flags |= kAckRequest;
  }
  last_flags_ |= flags & kConsumeRequest;
  return flags;
}

}  // namespace cluster::internal
