#include "cluster/session/reassembly.h"

#include <cstring>
#include <new>
#include <utility>

namespace cluster::internal {

namespace {

// A whole record, and its room.
struct Whole {
  std::shared_ptr<char> buffer;
  ReassemblyClaim claim;
};

}  // namespace

void Reassembly::Reset() {
  buffer_.reset();
  claim_.Drop();
  total_bytes_ = 0;
  bytes_ = 0;
}

Reassembly::Result Reassembly::Add(ChunkState chunk, std::uint64_t total_bytes,
                                   absl::string_view body, Slice* whole,
                                   ReassemblyClaim claim) {
  const bool first = chunk == ChunkState::kFirst;
  if (chunk == ChunkState::kWhole ||
      !(first ? MayBegin(total_bytes) : unfinished())) {
    return Result::kBroken;
  }
  if (first) {
    total_bytes_ = static_cast<std::size_t>(total_bytes);
    claim_ = std::move(claim);
    // A peer may claim more than this machine has.
    try {
      buffer_ = buffers_->Lend(total_bytes_);
    } catch (const std::bad_alloc&) {
      return Result::kBroken;
    }
  }
  if (total_bytes != total_bytes_ || body.empty() ||
      body.size() > total_bytes_ - bytes_) {
    return Result::kBroken;
  }
  std::memcpy(buffer_.get() + bytes_, body.data(), body.size());
  bytes_ += body.size();
  if ((chunk == ChunkState::kLast) != (bytes_ == total_bytes_))
    return Result::kBroken;
  if (chunk != ChunkState::kLast) return Result::kPart;
  whole->bytes = absl::string_view(buffer_.get(), total_bytes_);
  claim_.Finish();
  whole->owner =
      std::make_shared<Whole>(Whole{std::move(buffer_), std::move(claim_)});
  Reset();
  return Result::kWhole;
}

}  // namespace cluster::internal
