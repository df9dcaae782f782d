#include "tests/harness/envelope_source.h"

#include <algorithm>
#include <cstring>

namespace cluster::internal {
namespace {

constexpr int kSmallBitsMax = 9;

}  // namespace

EnvelopeSource::EnvelopeSource(std::uint64_t seed, std::uint64_t envelopes,
                               std::size_t payload_bytes)
    : random_(seed),
      bytes_left_(payload_bytes),
      // The large ones take about the budget. At least 1 in 4 is small anyway.
      one_large_in_(std::max<std::uint64_t>(
          2, envelopes * kPayloadBytesMax / 2 /
                 std::max<std::size_t>(payload_bytes, 1))) {}

std::size_t EnvelopeSource::PayloadBytes() {
  std::size_t bytes = Below(one_large_in_) == 0
                          ? Below(kPayloadBytesMax + 1)
                          : Below(std::uint64_t{1} << Below(kSmallBitsMax + 1));
  bytes = std::min(bytes, bytes_left_);
  bytes_left_ -= bytes;
  return bytes;
}

// Every second payload is text, with all characters that JSON must escape.
std::string EnvelopeSource::Payload(std::size_t bytes) {
  std::string payload(bytes, '\0');
  for (std::size_t i = 0; i < bytes; i += sizeof(std::uint64_t)) {
    const std::uint64_t word = random_();
    std::memcpy(&payload[i], &word, std::min(sizeof(word), bytes - i));
  }
  if (Below(2) == 0) return payload;
  for (char& byte : payload) byte = static_cast<char>(byte & 0x7f);
  return payload;
}

Envelope EnvelopeSource::Next() { return Next(PayloadBytes()); }

Envelope EnvelopeSource::Next(std::size_t payload_bytes) {
  Envelope envelope;
  envelope.msg_type =
      static_cast<MsgType>(Below(2) == 0 ? Below(4) : 64 + Below(65536 - 64));
  envelope.term = Below(8) == 0 ? UINT64_MAX : random_() >> Below(64);
  envelope.voted = Below(2) == 0;
  envelope.lane =
      Below(4) > 0 ? Lane::kNormal : static_cast<Lane>(Below(kLanes));
  if (Below(4) == 0) envelope.group = random_() >> Below(64);
  if (Below(4) == 0) envelope.correlation = random_() >> Below(64);
  envelope.payload = Payload(payload_bytes);
  return envelope;
}

}  // namespace cluster::internal
