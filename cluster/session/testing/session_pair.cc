#include "cluster/session/testing/session_pair.h"

#include <numeric>
#include <utility>

#include "cluster/base/check.h"
#include "cluster/codec/binary/binary.h"

namespace cluster::internal {

BufferPool* TestBuffers() {
  static const auto* const kPool =
      new std::shared_ptr<BufferPool>(std::make_shared<BufferPool>());
  return kPool->get();
}

SessionConfig TestSessionConfig(int self_id, int peer_id) {
  SessionConfig config;
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
                "a session made a bad frame");
  return header;
}

std::vector<std::string> PayloadsOf(const SessionConfig& config,
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

SessionEnd::SessionEnd(const SessionConfig& session_config,
                       const absl::Time* now)
    : config(session_config), now_(now), random_(session_config.incarnation) {
  config.clock = [now] { return *now; };
  MakeSession();
}

void SessionEnd::MakeSession() {
  session.reset();
  queue = std::make_unique<SendQueue>(config);
  session = std::make_unique<Session>(
      config, [this] { return random_(); }, this, queue.get());
}

void SessionEnd::Restart(std::uint64_t incarnation) {
  config.incarnation = incarnation;
  arrivals_.clear();
  taken.clear();
  events.clear();
  MakeSession();
}

SendOutcome SessionEnd::Append(const std::string& payload, Lane lane) {
  Envelope envelope;
  envelope.message_id = {config.incarnation, ++sequence_};
  envelope.pid = config.peer_id;
  envelope.sender_id = config.self_id;
  envelope.payload = payload;
  envelope.lane = lane;
  return Append(envelope);
}

SendOutcome SessionEnd::Append(const Envelope& envelope) {
  const Appended appended = queue->Append(config.peer_id, envelope);
  wanted = appended.wanted;
  return appended.outcome;
}

SendOutcome SessionEnd::AppendWith(const std::string& payload,
                                   const RecordOptions& options) {
  Envelope envelope;
  envelope.message_id = {config.incarnation, ++sequence_};
  envelope.pid = config.peer_id;
  envelope.sender_id = config.self_id;
  envelope.payload = payload;
  const Appended appended =
      queue->AppendWith(config.peer_id, envelope, options);
  wanted = appended.wanted;
  return appended.outcome;
}

void SessionEnd::Hear(const std::string& frame) {
  const Slice slice = MakeSlice(frame);
  FrameHeader header;
  absl::string_view body;
  CLUSTER_CHECK(DecodeFrame(slice.bytes, &header, &body) == FrameError::kNone,
                "a session made a bad frame");
  ++frames_heard;
  session->OnFrame(header, Slice{slice.owner, body}, *now_);
  if (consumes) Consume();
}

std::vector<std::string> SessionEnd::Speak(int limit) {
  std::vector<std::string> frames;
  Frame frame;
  while (static_cast<int>(frames.size()) < limit) {
    if (!session->NextFrame(*now_, &frame)) break;
    frames.push_back(BytesOf(frame));
  }
  return frames;
}

void SessionEnd::Consume(int arrivals) {
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
    session->Consumed(arrival.session, arrival.sequence);
  }
}

std::vector<std::string> SessionEnd::Payloads() const {
  std::vector<std::string> payloads;
  for (const Envelope& envelope : taken) payloads.push_back(envelope.payload);
  return payloads;
}

std::string SessionEnd::Events() const {
  std::string text;
  for (const PeerEvent& event : events) {
    if (!text.empty()) text += ' ';
    text += PeerEventTypeName(event.type);
  }
  return text;
}

void SessionEnd::OnArrival(Arrival arrival) {
  arrivals_.push_back(std::move(arrival));
}

void SessionEnd::OnSessionEvent(PeerEvent event) {
  events.push_back(std::move(event));
}

namespace {

SessionConfig Changed(SessionConfig config, const SessionPair::Change& change) {
  if (change) change(&config);
  return config;
}

}  // namespace

SessionPair::SessionPair(const Change& change)
    : one(Changed(TestSessionConfig(1, 2), change), &now),
      two(Changed(TestSessionConfig(2, 1), change), &now) {}

void SessionPair::Connect() {
  one.session->OnConnected(now);
  two.session->OnConnected(now);
  Exchange();
  Advance(absl::Milliseconds(200));
}

void SessionPair::Reborn(SessionEnd* end, std::uint64_t incarnation) {
  end->Restart(incarnation);
  end->session->OnConnected(now);
  Advance(absl::Milliseconds(200));
}

void SessionPair::Exchange() {
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

void SessionPair::Advance(absl::Duration duration) {
  const absl::Time end = now + duration;
  while (now < end) {
    now += absl::Milliseconds(10);
    one.session->Tick(now);
    two.session->Tick(now);
    Exchange();
  }
}

bool AddsUp(const PeerStats& stats) {
  return stats.accepted ==
         std::accumulate(stats.dropped.begin(), stats.dropped.end(),
                         stats.acknowledged + stats.queued + stats.in_flight);
}

}  // namespace cluster::internal
