// Decodes any bytes. A frame that decodes is encoded to one that decodes to the
// same. Its fields are within their ranges, and its body is all behind the
// header. The same for the bodies that last, in a frame and alone.

#include <cstddef>
#include <cstdint>
#include <string>

#include "cluster/codec/frame_header.h"
#include "cluster/codec/hello.h"
#include "cluster/codec/little_endian.h"
#include "cluster/codec/testing/fuzz.h"

namespace cluster::internal {
namespace {

void FuzzHello(absl::string_view body) {
  Hello hello;
  if (!DecodeHello(body, &hello)) return;
  FUZZ_CHECK(hello.versions.min > 0);
  FUZZ_CHECK(hello.versions.min <= hello.versions.max);
  FUZZ_CHECK(hello.incarnation != 0 && hello.epoch != 0 && hello.nonce != 0);
  FUZZ_CHECK(hello.cluster.size() <= kWireTextBytesMax);
  FUZZ_CHECK(hello.address.size() <= kWireTextBytesMax);
  const std::string again = EncodeHello(hello);
  Hello same;
  FUZZ_CHECK(DecodeHello(again, &same));
  FUZZ_CHECK(EncodeHello(same) == again);
}

void FuzzRefusal(absl::string_view body) {
  Refusal refusal;
  if (!DecodeRefusal(body, &refusal)) return;
  FUZZ_CHECK(refusal.text.size() <= kWireTextBytesMax);
  const std::string again = EncodeRefusal(refusal);
  Refusal same;
  FUZZ_CHECK(DecodeRefusal(again, &same));
  FUZZ_CHECK(EncodeRefusal(same) == again);
}

void FuzzGoodbye(absl::string_view body) {
  Goodbye goodbye;
  if (!DecodeGoodbye(body, &goodbye)) return;
  FUZZ_CHECK(goodbye.text.size() <= kWireTextBytesMax);
  const std::string again = EncodeGoodbye(goodbye);
  Goodbye same;
  FUZZ_CHECK(DecodeGoodbye(again, &same));
  FUZZ_CHECK(EncodeGoodbye(same) == again);
}

void FuzzLastingBody(absl::string_view input) {
  const ExactCopy copy(input);
  FuzzHello(copy.bytes());
  FuzzRefusal(copy.bytes());
  FuzzGoodbye(copy.bytes());
}

void FuzzFrame(absl::string_view input) {
  const ExactCopy copy(input);
  const absl::string_view frame = copy.bytes();
  FrameHeader header;
  absl::string_view body;
  const FrameError error = DecodeFrame(frame, &header, &body);
  if (frame.size() >= kFrameHeaderBytes) {
    FrameHeader same;
    FUZZ_CHECK(DecodeFrame(frame.substr(0, kFrameHeaderBytes),
                           frame.substr(kFrameHeaderBytes), &same) == error);
  }
  if (error != FrameError::kNone) {
    FUZZ_CHECK(error <= FrameError::kField);
    return;
  }
  FUZZ_CHECK(body.size() == header.body_bytes);
  FUZZ_CHECK(body.data() == frame.data() + kFrameHeaderBytes);
  FUZZ_CHECK(header.sender_id <= static_cast<unsigned>(kServerIdMax));
  FUZZ_CHECK(header.destination_id <= static_cast<unsigned>(kServerIdMax));
  FUZZ_CHECK(static_cast<int>(header.lane) < kLanes);
  FUZZ_CHECK(header.sequence != 0 || header.kind != FrameKind::kData);
  FUZZ_CHECK(header.sequence == 0 || header.kind == FrameKind::kData ||
             header.kind == FrameKind::kControl);
  FUZZ_CHECK(header.chunk_total_bytes == 0 ||
             header.chunk != ChunkState::kWhole);
  std::string again(kFrameHeaderBytes, '\0');
  EncodeFrameHeader(header, &again[0]);
  if (IsLasting(header.kind)) {
    // Decoding forgot the fields that do not last.
    FrameHeader same;
    FUZZ_CHECK(DecodeFrame(again, body, &same) == FrameError::kNone);
    std::string third(kFrameHeaderBytes, '\0');
    EncodeFrameHeader(same, &third[0]);
    FUZZ_CHECK(third == again);
    FuzzLastingBody(body);
  } else {
    FUZZ_CHECK(again == frame.substr(0, kFrameHeaderBytes));
    FUZZ_CHECK(header.version >= kFrameVersionMin);
    FUZZ_CHECK(header.version <= kFrameVersionMax);
  }
}

// Puts in what a fuzzer cannot guess: magic, lengths and checksums that fit.
void Repair(std::string* frame) {
  const std::size_t body_bytes = frame->size() - kFrameHeaderBytes;
  const absl::string_view body =
      absl::string_view(*frame).substr(kFrameHeaderBytes);
  char* const out = &(*frame)[0];
  StoreLittle<std::uint32_t>(out, 0x31464c43);
  if (out[4] < 2) out[4] = 2;
  StoreLittle<std::uint32_t>(out + 8, 0);
  StoreLittle<std::uint32_t>(out + 12, Crc32c(body));
  StoreLittle(out + 16, static_cast<std::uint32_t>(body_bytes));
  StoreLittle<std::uint32_t>(out + 8,
                             Crc32c(absl::string_view(out, kFrameHeaderBytes)));
}

}  // namespace
}  // namespace cluster::internal

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t bytes) {
  std::string frame(reinterpret_cast<const char*>(data), bytes);
  cluster::internal::FuzzLastingBody(frame);
  cluster::internal::FuzzFrame(frame);
  if (bytes < cluster::kFrameHeaderBytes) return 0;
  cluster::internal::Repair(&frame);
  cluster::internal::FuzzFrame(frame);
  return 0;
}
