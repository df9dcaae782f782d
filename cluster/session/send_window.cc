#include "cluster/session/send_window.h"

#include <algorithm>
#include <utility>

#include "cluster/base/check.h"

namespace cluster::internal {

std::vector<SendWindow::Sent> SendWindow::Reset() {
  std::vector<Sent> unconsumed;
  unconsumed.reserve(sent_.size());
  while (!sent_.empty()) unconsumed.push_back(sent_.PopFront());
  Clear();
  return unconsumed;
}

void SendWindow::Clear() {
  const std::uint64_t acknowledged = acknowledged_envelopes_;
  *this = SendWindow();
  acknowledged_envelopes_ = acknowledged;
}

void SendWindow::TellDropped(DropReason reason) const {
  for (std::size_t i = 0; i < sent_.size(); ++i) sent_[i].Tell(reason);
}

const SendWindow::Sent* SendWindow::Rewound() const {
  return next_transmit_ < next_sequence_ ? &At(next_transmit_) : nullptr;
}

void SendWindow::Count(const Sent& sent, int sign) {
  const std::size_t charge = FrameCharge(sent.body_bytes);
  inflight_bytes_ =
      sign > 0 ? inflight_bytes_ + charge : inflight_bytes_ - charge;
  inflight_frames_[static_cast<std::size_t>(sent.batch.lane)] += sign;
}

void SendWindow::Add(Sent&& sent) {
  CLUSTER_CHECK(next_transmit_ == next_sequence_,
                "a new frame overtakes one to be sent again");
  sent.transmissions = 1;
  Count(sent, +1);
  unconsumed_bytes_ += FrameCharge(sent.body_bytes);
  held_bytes_ += sent.held_bytes();
  envelopes_ += sent.envelopes;
  sent_.PushBack(std::move(sent));
  ++next_sequence_;
  ++next_transmit_;
}

bool SendWindow::MarkTransmitted() {
  CLUSTER_CHECK(next_transmit_ < next_sequence_, "nothing is to be sent again");
  Sent& sent = MutableAt(next_transmit_);
  Count(sent, +1);
  ++next_transmit_;
  return ++sent.transmissions > 1;
}

bool SendWindow::UndoLast() {
  CLUSTER_CHECK(inflight(), "nothing is in flight");
  --next_transmit_;
  Sent& sent = MutableAt(next_transmit_);
  Count(sent, -1);
  return --sent.transmissions > 0;
}

std::uint64_t SendWindow::FrontOrdinal(Lane lane) const {
  std::uint64_t& front = lane_front_[static_cast<std::size_t>(lane)];
  front = std::max(front, front_sequence_);
  while (front < next_sequence_ && At(front).batch.lane != lane) ++front;
  return front < next_sequence_ ? At(front).batch.first_ordinal : 0;
}

void SendWindow::Rewind() {
  next_transmit_ = received_through_ + 1;
  inflight_bytes_ = 0;
  inflight_frames_.fill(0);
}

AckResult SendWindow::Acknowledge(std::uint64_t received_through,
                                  std::uint64_t consumed_through) {
  if (consumed_through > received_through ||
      received_through >= next_sequence_) {
    return AckResult::kImpossible;
  }
  AckResult result = AckResult::kNothingNew;
  // Acknowledgements are cumulative, so an old one that arrives late says
  // nothing.
  while (received_through_ < received_through) {
    ++received_through_;
    received_bytes_ += FrameCharge(At(received_through_).body_bytes);
    last_departure_ = At(received_through_).departure;
    if (received_through_ < next_transmit_) {
      Count(At(received_through_), -1);
    } else {
      next_transmit_ = received_through_ + 1;
    }
    result = AckResult::kProgress;
  }
  while (front_sequence_ <= consumed_through) {
    const Sent& sent = sent_.front();
    unconsumed_bytes_ -= FrameCharge(sent.body_bytes);
    held_bytes_ -= sent.held_bytes();
    envelopes_ -= sent.envelopes;
    acknowledged_envelopes_ += sent.envelopes;
    sent.Tell(absl::nullopt);
    sent_.DropFront();
    ++front_sequence_;
    result = AckResult::kProgress;
  }
  return result;
}

void SendWindow::FillFrame(const Sent& sent, Frame* frame) {
  if (sent.other_header != nullptr)
    return FillFrame(sent, sent.other_header, frame);
  if (sent.batch.outside != nullptr) {
    return FillFrame(
        sent, std::shared_ptr<char>(sent.batch.buffer, sent.header_place()),
        frame);
  }
  const absl::string_view bytes(sent.header_place(),
                                kFrameHeaderBytes + sent.body_bytes);
  frame->slices.push_back(Slice{sent.batch.buffer, bytes});
}

void SendWindow::FillFrame(const Sent& sent, std::shared_ptr<char> header,
                           Frame* frame) {
  const absl::string_view bytes(header.get(), kFrameHeaderBytes);
  frame->slices.push_back(Slice{std::move(header), bytes});
  const Batch::Pieces body = sent.batch.PiecesOf(sent.offset, sent.body_bytes);
  if (!body.in.empty() || body.out.empty())
    frame->slices.push_back(Slice{sent.batch.buffer, body.in});
  if (!body.out.empty())
    frame->slices.push_back(Slice{sent.batch.outside, body.out});
}

}  // namespace cluster::internal
