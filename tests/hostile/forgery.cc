#include "tests/hostile/forgery.h"

#include <cstdint>

#include "cluster/base/check.h"

namespace cluster::internal {
namespace {

constexpr std::size_t kHeaderCrcAt = 8;
constexpr std::size_t kBodyCrcAt = 12;

void StoreCrc(std::uint32_t crc, std::size_t at, std::string* frame) {
  for (std::size_t i = 0; i < 4; ++i)
    (*frame)[at + i] = static_cast<char>(crc >> (8 * i));
}

}  // namespace

std::string MakeFrame(FrameHeader header, const std::string& body) {
  header.body_bytes = static_cast<std::uint32_t>(body.size());
  header.body_crc = Crc32c(body);
  std::string frame(kFrameHeaderBytes, '\0');
  EncodeFrameHeader(header, &frame[0]);
  return frame + body;
}

FrameHeader HeaderOf(const std::string& frame) {
  FrameHeader header;
  absl::string_view body;
  CLUSTER_CHECK(DecodeFrame(frame, &header, &body) == FrameError::kNone,
                "no frame");
  return header;
}

std::string BodyOf(const std::string& frame) {
  return frame.substr(kFrameHeaderBytes);
}

std::string Forged(const std::string& frame,
                   const std::function<void(FrameHeader*)>& change) {
  FrameHeader header = HeaderOf(frame);
  change(&header);
  std::string forged = frame;
  EncodeFrameHeader(header, &forged[0]);
  return forged;
}

std::string Restamped(std::string frame) {
  const absl::string_view body =
      absl::string_view(frame).substr(kFrameHeaderBytes);
  StoreCrc(Crc32c(body), kBodyCrcAt, &frame);
  StoreCrc(0, kHeaderCrcAt, &frame);
  StoreCrc(Crc32c(absl::string_view(frame).substr(0, kFrameHeaderBytes)),
           kHeaderCrcAt, &frame);
  return frame;
}

}  // namespace cluster::internal
