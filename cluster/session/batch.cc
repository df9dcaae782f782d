#include "cluster/session/batch.h"

#include <cstring>
#include <utility>

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

// A record, in the order in which its bytes go out.
class Parts {
 public:
  Parts(absl::string_view fields, absl::Span<const absl::string_view> payload)
      : part_(fields), rest_(payload), bytes_(fields.size()) {
    for (const absl::string_view piece : payload) bytes_ += piece.size();
  }
  std::size_t bytes() const { return bytes_; }

  // Copies `bytes` from the front and returns their sum.
  std::uint32_t Move(std::size_t bytes, char* out) {
    std::uint32_t crc = 0;
    while (bytes > 0) {
      while (part_.empty()) {
        part_ = rest_.front();
        rest_.remove_prefix(1);
      }
      const std::size_t step = std::min({bytes, part_.size(), kStepBytes});
      std::memcpy(out, part_.data(), step);
      crc = Crc32cExtend(crc, absl::string_view(out, step));
      part_.remove_prefix(step);
      out += step;
      bytes -= step;
    }
    return crc;
  }

 private:
  absl::string_view part_;
  absl::Span<const absl::string_view> rest_;
  std::size_t bytes_;
};

Batch Scatter(const SessionConfig& config, Lane lane, Parts parts) {
  const std::size_t bytes = parts.bytes();
  const std::size_t chunk_bytes =
      ChunkBytes(config.frame_bytes, config.inflight_bytes, lane);
  if (bytes <= chunk_bytes) {
    Batch batch = NewBatch(config.buffers.get(), lane, bytes);
    batch.body_crc = parts.Move(bytes, batch.body_begin());
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
        parts.Move(batch.chunk_size(offset), header + kFrameHeaderBytes),
        header);
  }
  return batch;
}

// The payload is taken last, when nothing needs memory any more.
Batch Refer(const SessionConfig& config, Lane lane, absl::string_view fields,
            std::string* payload) {
  const std::size_t bytes = fields.size() + payload->size();
  const std::size_t chunk_bytes =
      ChunkBytes(config.frame_bytes, config.inflight_bytes, lane);
  const std::size_t chunks = (bytes + chunk_bytes - 1) / chunk_bytes;
  Batch batch = NewBatch(config.buffers.get(), lane,
                         fields.size() + (chunks - 1) * kFrameHeaderBytes);
  batch.outside = std::make_shared<std::string>();
  std::memcpy(batch.body_begin(), fields.data(), fields.size());
  batch.fields_bytes = fields.size();
  batch.body_bytes = bytes;
  batch.large = chunks > 1;
  batch.chunk_bytes = chunk_bytes;
  *batch.outside = std::move(*payload);
  for (std::size_t offset = 0; offset < bytes; offset += chunk_bytes) {
    const Batch::Pieces pieces =
        batch.PiecesOf(offset, batch.chunk_size(offset));
    const std::uint32_t crc = Crc32cExtend(Crc32c(pieces.in), pieces.out);
    if (batch.large) {
      StoreBodyCrc(crc, batch.chunk_header(offset));
    } else {
      batch.body_crc = crc;
      batch.summed = true;
    }
  }
  return batch;
}

}  // namespace

Batch::Pieces Batch::PiecesOf(std::size_t offset, std::size_t bytes) const {
  if (outside == nullptr) {
    const char* const header = large ? chunk_header(offset) : buffer.get();
    return {absl::string_view(header + kFrameHeaderBytes, bytes),
            absl::string_view()};
  }
  // The fields are in the first frame.
  const std::size_t fields = offset == 0 ? fields_bytes : 0;
  return {absl::string_view(body_begin(), fields),
          absl::string_view(*outside).substr(
              offset - (offset == 0 ? 0 : fields_bytes), bytes - fields)};
}

Batch EncodeLarge(const SessionConfig& config, const EnvelopeView& envelope,
                  bool shared, const PayloadSource& payload) {
  EncodeState encode;
  Batch batch;
  if (Scatters(*config.codec)) {
    absl::InlinedVector<char, 128> buffer(config.codec->RecordFieldsBytesMax());
    char* const end =
        config.codec->AppendRecordFields(envelope, &encode, buffer.data());
    const absl::string_view fields(
        buffer.data(), static_cast<std::size_t>(end - buffer.data()));
    const absl::Span<const absl::string_view> pieces =
        payload.pieces.empty() ? absl::MakeConstSpan(&envelope.payload, 1)
                               : payload.pieces;
    batch = payload.moved != nullptr
                ? Refer(config, envelope.lane, fields, payload.moved)
                : Scatter(config, envelope.lane, Parts(fields, pieces));
  } else {
    const std::shared_ptr<char> record =
        config.buffers->Lend(config.codec->RecordBytesMax(envelope));
    char* const end =
        config.codec->AppendRecord(envelope, &encode, record.get());
    const absl::string_view all(record.get(),
                                static_cast<std::size_t>(end - record.get()));
    batch = Scatter(config, envelope.lane, Parts(all, {}));
  }
  batch.records = 1;
  batch.shared = shared;
  batch.payload_bytes_longest = envelope.payload.size();
  batch.features = FeaturesOf(envelope);
  return batch;
}

void GiveBack(Batch* batch, const PayloadSource& payload) {
  if (batch->outside == nullptr || payload.moved == nullptr) return;
  *payload.moved = std::move(*batch->outside);
}

}  // namespace cluster::internal
