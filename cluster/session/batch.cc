#include "cluster/session/batch.h"

#include <array>
#include <cstring>

#include "absl/container/inlined_vector.h"
#include "cluster/codec/codec.h"

namespace cluster::internal {

void TellFates(const Batch& batch, absl::optional<DropReason> dropped) {
  if (batch.options != nullptr && batch.options->fates != nullptr) {
    Fate fate;
    fate.message_id = batch.options->message_id;
    fate.pid = batch.options->pid;
    fate.dropped = dropped;
    batch.options->fates->OnFate(fate);
  }
  if (batch.parts == nullptr) return;
  for (const Batch& part : *batch.parts) TellFates(part, dropped);
}

Batch NewBatch(BufferPool* buffers, Lane lane, std::size_t capacity) {
  Batch batch;
  batch.buffer = buffers->Lend(kFrameHeaderBytes + capacity);
  batch.capacity = capacity;
  batch.lane = lane;
  return batch;
}

Batch WithCapacity(BufferPool* buffers, const Batch& batch,
                   std::size_t capacity) {
  Batch other = NewBatch(buffers, batch.lane, capacity);
  std::memcpy(other.body_begin(), batch.body_begin(), batch.body_bytes);
  other.body_bytes = batch.body_bytes;
  other.payload_bytes_longest = batch.payload_bytes_longest;
  other.features = batch.features;
  other.records = batch.records;
  other.first_ordinal = batch.first_ordinal;
  other.since_ns = batch.since_ns;
  other.joins = batch.joins;
  other.resent = batch.resent;
  other.options = batch.options;
  other.parts = batch.parts;
  other.summed = batch.summed;
  other.body_crc = batch.body_crc;
  return other;
}

void Sum(Batch* batch) {
  batch->body_crc = Crc32c(batch->body());
  batch->summed = true;
}

bool IsCompact(const Batch& batch) {
  constexpr std::size_t kSlackBytes = 1024;
  const bool roomy = batch.capacity > 2 * batch.body_bytes + kSlackBytes;
  return !roomy && batch.buffer.use_count() == 1;
}

namespace {

// Copied and then summed while it is in the innermost cache but one.
constexpr std::size_t kStepBytes = 32u << 10;

// The record, in the order in which its bytes go out.
using Parts = std::array<absl::string_view, 2>;

// Copies `bytes` from the front of the parts and returns their sum.
std::uint32_t Move(Parts* parts, std::size_t bytes, char* out) {
  std::uint32_t crc = 0;
  while (bytes > 0) {
    absl::string_view& part = (*parts)[0].empty() ? (*parts)[1] : (*parts)[0];
    const std::size_t step = std::min({bytes, part.size(), kStepBytes});
    std::memcpy(out, part.data(), step);
    crc = Crc32cExtend(crc, absl::string_view(out, step));
    part.remove_prefix(step);
    out += step;
    bytes -= step;
  }
  return crc;
}

Batch Scatter(const SessionConfig& config, Lane lane, Parts parts) {
  const std::size_t bytes = parts[0].size() + parts[1].size();
  const std::size_t chunk_bytes =
      ChunkBytes(config.frame_bytes, config.inflight_bytes, lane);
  if (bytes <= chunk_bytes) {
    Batch batch = NewBatch(config.buffers.get(), lane, bytes);
    batch.body_crc = Move(&parts, bytes, batch.body_begin());
    batch.summed = true;
    batch.body_bytes = bytes;
    return batch;
  }
  const std::size_t chunks = (bytes + chunk_bytes - 1) / chunk_bytes;
  Batch batch = NewBatch(config.buffers.get(), lane,
                         bytes + (chunks - 1) * kFrameHeaderBytes);
  batch.body_bytes = bytes;
  batch.large = true;
  batch.chunk_bytes = chunk_bytes;
  for (std::size_t offset = 0; offset < bytes; offset += chunk_bytes) {
    char* const header = batch.chunk_header(offset);
    StoreBodyCrc(
        Move(&parts, batch.chunk(offset).size(), header + kFrameHeaderBytes),
        header);
  }
  return batch;
}

}  // namespace

Batch EncodeLarge(const SessionConfig& config, const EnvelopeView& envelope,
                  bool shared) {
  EncodeState encode;
  Batch batch;
  if (config.codec->RecordFieldsBytesMax() > 0) {
    absl::InlinedVector<char, 128> fields(config.codec->RecordFieldsBytesMax());
    char* const end =
        config.codec->AppendRecordFields(envelope, &encode, fields.data());
    const auto bytes = static_cast<std::size_t>(end - fields.data());
    batch =
        Scatter(config, envelope.lane,
                {absl::string_view(fields.data(), bytes), envelope.payload});
  } else {
    const std::shared_ptr<char> record =
        config.buffers->Lend(config.codec->RecordBytesMax(envelope));
    char* const end =
        config.codec->AppendRecord(envelope, &encode, record.get());
    batch = Scatter(config, envelope.lane,
                    {absl::string_view(record.get(), static_cast<std::size_t>(
                                                         end - record.get())),
                     absl::string_view()});
  }
  batch.records = 1;
  batch.shared = shared;
  batch.payload_bytes_longest = envelope.payload.size();
  batch.features = FeaturesOf(envelope);
  return batch;
}

}  // namespace cluster::internal
