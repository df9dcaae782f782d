// The first bytes of a byte stream, and the lengths between frames. With
// security they are inside TLS, except for an answer that refuses plaintext.
//
//   the side that dialled writes      the side that listens writes
//     8       greeting                  8   answer, once it has accepted
//     4       length, little-endian
//     length  the frame; and so on      nothing more
//
// Greeting and answer are "CLNS", version 2, a code (0, or an Answer), and two
// zero bytes. Frames wait for the answer: in TLS 1.3 the dialler's handshake is
// over before the listener judges its certificate. Nothing follows the answer,
// so that closing never turns into a reset that takes frames with it.

#ifndef CLUSTER_TRANSPORT_STREAM_PREAMBLE_H_
#define CLUSTER_TRANSPORT_STREAM_PREAMBLE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace cluster::internal {
namespace stream {

inline constexpr std::size_t kPreambleBytes = 8;
inline constexpr std::size_t kLengthBytes = 4;
inline constexpr char kMagic[] = "CLNS";
inline constexpr std::size_t kMagicBytes = 4;
inline constexpr char kVersion = 2;

// The first byte of a TLS handshake.
inline constexpr char kTlsFirstByte = 0x16;

enum class Answer : char {
  kAccepted = 0,
  kWantsTls = 1,      // in plaintext, to plaintext
  kHasNoTls = 2,      // in plaintext, to TLS
  kOtherVersion = 3,  // to another version's greeting
};

inline std::string AnswerText(Answer answer) {
  return std::string(kMagic, kMagicBytes) + kVersion +
         static_cast<char>(answer) + std::string(2, '\0');
}

// The greeting; the answer of a listener that accepts is the same.
inline absl::string_view Preamble() {
  static constexpr char kPreamble[] = {'C', 'L', 'N', 'S', kVersion, 0, 0, 0};
  return absl::string_view(kPreamble, kPreambleBytes);
}

// Why an answer of kPreambleBytes refuses, for messages; "" if it accepts.
inline std::string RefusalIn(absl::string_view answer) {
  if (answer == Preamble()) return "";
  if (!absl::StartsWith(answer, kMagic)) {
    return "what listens there does not speak this protocol";
  }
  switch (static_cast<Answer>(answer[kMagicBytes + 1])) {
    case Answer::kWantsTls:
      return "it is secured and takes no plaintext; give this server "
             "\"security\" too";
    case Answer::kHasNoTls:
      return "it has no security configured and takes no TLS; give it "
             "\"security\" too";
    case Answer::kOtherVersion:
      return absl::StrCat("it speaks version ", int{answer[kMagicBytes]},
                          " of this protocol, and this server version ",
                          int{kVersion});
    case Answer::kAccepted:
      break;
  }
  return absl::StrCat("it answers in version ", int{answer[kMagicBytes]},
                      " of this protocol, which this server does not know");
}

// Whether `bytes` may be the beginning of an answer, of any version.
inline bool IsBeginOfAnswer(absl::string_view bytes) {
  return absl::StartsWith(bytes, kMagic) || absl::StartsWith(kMagic, bytes);
}

inline void StoreLength(std::uint32_t length, char* to) {
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    to[i] = static_cast<char>(length >> (8 * i));
  }
}

inline std::uint32_t LoadLength(const char* from) {
  std::uint32_t length = 0;
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    length |= std::uint32_t{static_cast<unsigned char>(from[i])} << (8 * i);
  }
  return length;
}

}  // namespace stream
}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_STREAM_PREAMBLE_H_
