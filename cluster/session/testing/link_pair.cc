#include "cluster/session/testing/link_pair.h"

#include <numeric>
#include <utility>

#include "cluster/base/check.h"
#include "cluster/codec/binary/binary.h"

namespace cluster {

BufferPool* TestBuffers() {
  static const auto* const kPool =
      new std::shared_ptr<BufferPool>(std::make_shared<BufferPool>());
  return kPool->get();
}

LinkConfig TestLinkConfig(int self_id, int peer_id) {
  LinkConfig config;
  config.self_id = self_id;
  config.peer_id = peer_id;
  config.incarnation = 1000u + static_cast<std::uint64_t>(self_id);
  config.codec = &BinaryCodec();
  config.cluster = "test";
  config.frame_bytes = 1024;
  config.inflight_bytes = 16 << 10;
  config.window_bytes = 32 << 10;
  config.queue_bytes_max = 64 << 10;
  config.payload_bytes_max = 256 << 10;
  config.heartbeat = absl::Milliseconds(500);
  config.peer_timeout = absl::Seconds(2);
  return config;
}

std::string BytesOf(const Frame& frame) {
  std::string bytes;
  for (const Slice& slice : frame.slices)
    bytes.append(slice.bytes.data(), slice.bytes.size());
  return bytes;
}

FrameHeader HeaderOf(const std::string& frame) {
  FrameHeader header;
  absl::string_view body;
  CLUSTER_CHECK(DecodeFrame(frame, &header, &body) == FrameError::kNone,
                "a link made a bad frame");
  return header;
}

std::vector<std::string> PayloadsOf(const LinkConfig& config,
                                    const Batch& batch) {
  CLUSTER_CHECK(batch.body_crc == Crc32c(batch.body()), "a wrong sum");
  std::vector<std::string> payloads;
  absl::string_view rest = batch.body();
  DecodeState state;
  while (!rest.empty()) {
    CLUSTER_CHECK(config.codec->NextRecord(&rest, &state).ok(),
                  "a record that does not decode");
    payloads.emplace_back(state.envelope.payload);
  }
  CLUSTER_CHECK(payloads.size() == batch.records, "records miscounted");
  return payloads;
}

std::string Forged(std::string frame,
                   const std::function<void(FrameHeader*)>& change) {
  FrameHeader header = HeaderOf(frame);
  change(&header);
  EncodeFrameHeader(header, &frame[0]);
  return frame;
}

LinkEnd::LinkEnd(const LinkConfig& link_config, const absl::Time* now)
    : config(link_config), now_(now), random_(link_config.incarnation) {
  MakeLink();
}

void LinkEnd::MakeLink() {
  link.reset();
  queue = std::make_unique<SendQueue>(config);
  link = std::make_unique<Link>(
      config, [this] { return random_(); }, this, queue.get());
}

void LinkEnd::Restart(std::uint64_t incarnation) {
  config.incarnation = incarnation;
  arrivals_.clear();
  taken.clear();
  events.clear();
  MakeLink();
}

SendOutcome LinkEnd::Append(const std::string& payload, Lane lane) {
  Envelope envelope;
  envelope.message_id = {config.incarnation, ++sequence_};
  envelope.pid = config.peer_id;
  envelope.sender_id = config.self_id;
  envelope.payload = payload;
  envelope.lane = lane;
  return Append(envelope);
}

SendOutcome LinkEnd::Append(const Envelope& envelope) {
  const Appended appended = queue->Append(config.peer_id, envelope);
  wanted = appended.wanted;
  return appended.outcome;
}

void LinkEnd::Hear(const std::string& frame) {
  const Slice slice = MakeSlice(frame);
  FrameHeader header;
  absl::string_view body;
  CLUSTER_CHECK(DecodeFrame(slice.bytes, &header, &body) == FrameError::kNone,
                "a link made a bad frame");
  ++frames_heard;
  link->OnFrame(header, Slice{slice.owner, body}, *now_);
  if (consumes) Consume();
}

std::vector<std::string> LinkEnd::Speak(int limit) {
  std::vector<std::string> frames;
  Frame frame;
  while (static_cast<int>(frames.size()) < limit) {
    if (!link->NextFrame(*now_, &frame)) break;
    frames.push_back(BytesOf(frame));
  }
  return frames;
}

void LinkEnd::Consume(int arrivals) {
  for (; arrivals > 0 && !arrivals_.empty(); --arrivals) {
    const Arrival arrival = std::move(arrivals_.front());
    arrivals_.pop_front();
    absl::string_view rest = arrival.body.bytes;
    DecodeState state;
    std::uint32_t records = 0;
    for (; !rest.empty(); ++records) {
      CLUSTER_CHECK(config.codec->NextRecord(&rest, &state).ok(),
                    "a record that does not decode");
      taken.push_back(state.envelope.ToEnvelope());
    }
    CLUSTER_CHECK(records == arrival.records, "a wrong count of records");
    link->Consumed(arrival.session, arrival.sequence);
  }
}

std::vector<std::string> LinkEnd::Payloads() const {
  std::vector<std::string> payloads;
  for (const Envelope& envelope : taken) payloads.push_back(envelope.payload);
  return payloads;
}

std::string LinkEnd::Events() const {
  std::string text;
  for (const PeerEvent& event : events) {
    if (!text.empty()) text += ' ';
    text += PeerEventTypeName(event.type);
  }
  return text;
}

void LinkEnd::OnArrival(Arrival arrival) {
  arrivals_.push_back(std::move(arrival));
}

void LinkEnd::OnLinkEvent(PeerEvent event) {
  events.push_back(std::move(event));
}

namespace {

LinkConfig Changed(LinkConfig config, const LinkPair::Change& change) {
  if (change) change(&config);
  return config;
}

}  // namespace

LinkPair::LinkPair(const Change& change)
    : one(Changed(TestLinkConfig(1, 2), change), &now),
      two(Changed(TestLinkConfig(2, 1), change), &now) {}

void LinkPair::Connect() {
  one.link->OnConnected(now);
  two.link->OnConnected(now);
  Exchange();
  Advance(absl::Milliseconds(200));
}

void LinkPair::Reborn(LinkEnd* end, std::uint64_t incarnation) {
  end->Restart(incarnation);
  end->link->OnConnected(now);
  Advance(absl::Milliseconds(200));
}

void LinkPair::Exchange() {
  while (true) {
    const std::vector<std::string> from_one = one.Speak();
    const std::vector<std::string> from_two = two.Speak();
    if (from_one.empty() && from_two.empty()) return;
    for (const std::string& frame : from_one) {
      if (one_is_heard) two.Hear(frame);
    }
    for (const std::string& frame : from_two) {
      if (two_is_heard) one.Hear(frame);
    }
  }
}

void LinkPair::Advance(absl::Duration duration) {
  const absl::Time end = now + duration;
  while (now < end) {
    now += absl::Milliseconds(10);
    one.link->Tick(now);
    two.link->Tick(now);
    Exchange();
  }
}

bool AddsUp(const PeerStats& stats) {
  return stats.accepted ==
         std::accumulate(stats.dropped.begin(), stats.dropped.end(),
                         stats.acknowledged + stats.queued + stats.in_flight);
}

}  // namespace cluster
