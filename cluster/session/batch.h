// Batch: encoded records of one lane that become frames.
//
// A small batch has room for a frame header in front of its records, and becomes
// one frame in one piece. A large one holds a single record in chunks. Each has
// room for a header in front, so it is a frame of its own that shares the
// buffer. A shared batch is in the queues of several peers, and its frames have
// their headers elsewhere. An envelope with options waits as a batch of its own,
// and leaves in one frame with its neighbours. The payload of an envelope that was
// moved stays where it is, outside of the buffer.
//
// A value. The bytes are shared with frames, and do not change once a frame was
// made of them or the batch is shared. Where memory ends a function throws
// std::bad_alloc.
//
//   Batch batch = EncodeLarge(config, envelope);

#ifndef CLUSTER_SESSION_BATCH_H_
#define CLUSTER_SESSION_BATCH_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "cluster/base/buffer_pool.h"
#include "cluster/codec/codec.h"
#include "cluster/codec/frame_header.h"
#include "cluster/codec/hello.h"
#include "cluster/envelope.h"
#include "cluster/fate.h"
#include "cluster/session/session_config.h"

namespace cluster::internal {

// The features that a peer needs for the envelope's record, in bits of
// Hello::features.
inline std::uint64_t FeaturesOf(const EnvelopeView& envelope) {
  return (envelope.group | envelope.correlation) != 0 ? kFeatureGroups : 0;
}

// Hears what becomes of envelopes. Called with locks held, from any thread; it must
// not call back, nor throw.
class FateSink {
 public:
  virtual ~FateSink() = default;
  virtual void OnFate(const Fate& fate) = 0;
};

// The options of an envelope that waits (SendOptions, server.h).
struct RecordOptions {
  absl::Time expires_at = absl::InfiniteFuture();
  std::uint64_t replaces = 0;  // a key of its group; 0: none
  std::uint64_t group = 0;

  FateSink* fates = nullptr;  // hears what becomes of it, unless null
  MessageId message_id{};
  int pid = 0;

  // Without any it need not wait as a batch of its own.
  bool any() const {
    return expires_at != absl::InfiniteFuture() || replaces != 0 ||
           fates != nullptr;
  }
};

// The payload of an envelope, where it is not in one text that is only borrowed. The
// view of the envelope has its size.
struct PayloadSource {
  // Joined only where they are encoded. Empty: it is in one text.
  absl::Span<const absl::string_view> pieces;
  // Taken with the envelope, unless null; as it was where that is refused.
  std::string* moved = nullptr;

  bool plain() const { return pieces.empty() && moved == nullptr; }
};

struct Batch {
  std::shared_ptr<char> buffer;  // kFrameHeaderBytes of room, then the records
  std::size_t body_bytes = 0;
  std::size_t capacity = 0;  // of the buffer, behind the header's room
  std::uint32_t records = 0;
  Lane lane = Lane::kNormal;
  // Of the first record among all that one queue accepted in the lane, from 1;
  // known once the batch takes no more records.
  std::uint64_t first_ordinal = 0;
  // When the first record was accepted, by SendQueue::SetNow; kNoWait: about to be
  // transmitted then.
  std::int64_t since_ns = kNoWait;
  static constexpr std::int64_t kNoWait =
      std::numeric_limits<std::int64_t>::max();
  std::size_t payload_bytes_longest = 0;  // of its envelopes
  std::uint64_t features = 0;             // that its envelopes need
  bool summed = false;                    // body_crc is known; of a small one
  std::uint32_t body_crc = 0;
  bool shared = false;  // with other peers: nothing is written into it
  bool joins = false;   // closed with room left: leaves with its neighbours
  bool resent = false;  // transmitted to an earlier life of the peer

  bool large = false;  // one record, sent in chunks; these are of it alone
  std::size_t chunk_bytes = 0;   // of the body, in each chunk but the last
  std::size_t cut_bytes = 0;     // of the body, in chunks that were sent
  std::size_t headed_bytes = 0;  // the same, of which the first sending may
                                 // still be on its way, with its header

  // The payload of its only record, or null: then it is in the buffer.
  std::shared_ptr<std::string> outside;
  std::size_t fields_bytes = 0;  // of that record, which are in the buffer

  std::shared_ptr<const RecordOptions> options;  // of its only record, or null
  // What it was joined from, without the bytes; or null.
  std::shared_ptr<const std::vector<Batch>> parts;

  char* header() const { return buffer.get(); }
  char* body_begin() const { return buffer.get() + kFrameHeaderBytes; }
  char* body_end() const { return body_begin() + body_bytes; }
  // Of a small one.
  absl::string_view body() const { return {body_begin(), body_bytes}; }
  std::size_t room() const { return capacity - body_bytes; }

  // Of a large one: the size of the chunk that begins `offset` bytes into the
  // body, and the room for its header.
  std::size_t chunk_size(std::size_t offset) const {
    return std::min(chunk_bytes, body_bytes - offset);
  }
  char* chunk_header(std::size_t offset) const {
    const std::size_t chunk = offset / chunk_bytes;
    if (outside == nullptr)
      return buffer.get() + chunk * (kFrameHeaderBytes + chunk_bytes);
    return buffer.get() + chunk * kFrameHeaderBytes +
           (chunk > 0 ? fields_bytes : 0);
  }
  // A part of the body that one frame has, in one piece or two. The second is
  // outside.
  struct Pieces {
    absl::string_view in;
    absl::string_view out;
  };
  Pieces PiecesOf(std::size_t offset, std::size_t bytes) const;
};

// Tells the fates of those of its envelopes that asked for it. `dropped`: see Fate.
void TellFates(const Batch& batch, absl::optional<DropReason> dropped);

// A batch with room for at least `capacity` bytes of records.
Batch NewBatch(BufferPool* buffers, Lane lane, std::size_t capacity);

// The small batch in a buffer with room for `capacity` bytes of records.
Batch WithCapacity(BufferPool* buffers, const Batch& batch,
                   std::size_t capacity);

// Sums a small batch; it takes no more records.
void Sum(Batch* batch);

// Whether the small batch is in a buffer that nobody else holds and that is not
// much larger than it needs.
bool IsCompact(const Batch& batch);

// An envelope that shares no frame with others: a large batch, or a small one
// where a chunk would hold it. This makes the only copy of a large payload on its
// way out, straight to where its frames will be. The payload is summed while it
// is in the cache. Call it without a lock. The payload is within payload_bytes_max.
// `shared`: for the queues of several peers. `payload`: only of a codec that
// Scatters; a moved one is taken into the batch, and not copied.
Batch EncodeLarge(const SessionConfig& config, const EnvelopeView& envelope,
                  bool shared = false, const PayloadSource& payload = {});
// Whether a PayloadSource is of use: in its records the payload is the last part.
inline bool Scatters(const Codec& codec) {
  return codec.RecordFieldsBytesMax() > 0;
}
// Gives a payload that EncodeLarge took back to its envelope.
void GiveBack(Batch* batch, const PayloadSource& payload);

}  // namespace cluster::internal

#endif  // CLUSTER_SESSION_BATCH_H_
