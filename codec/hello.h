// Hello, refusal and goodbye: the frames that begin and end sessions.
//
// Servers of any two versions understand them, so their form never changes.
// docs/wire-format.md has it. A missing number is 0, a missing text empty. A
// reader skips entries that it does not know. Decoding takes any bytes and
// returns false for a malformed body.
//
//   std::string body = EncodeHello(hello);
//   if (!DecodeHello(body, &hello)) ...

#ifndef CLUSTER_CODEC_HELLO_H_
#define CLUSTER_CODEC_HELLO_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace cluster {

inline constexpr std::size_t kWireTextBytesMax = 255;
inline constexpr std::size_t kLastingBodyBytesMax = 64u << 10;

// Bits of Hello::features: what a server understands beyond its version. A
// session has those that both sides have.
inline constexpr std::uint64_t kFeatureGroups = 1;  // records with a group and
                                                    // a correlation
inline constexpr std::uint64_t kFeatureStandstill = 2;  // the flag kStandsStill
// Times may change within a session, and a hello has those that it goes by.
inline constexpr std::uint64_t kFeatureLiveTimes = 4;

// From `min` to `max`.
struct VersionRange {
  std::uint8_t min = 0;
  std::uint8_t max = 0;
};

struct Hello {
  VersionRange versions;
  std::uint64_t features = 0;     // bits as above; unknown ones are kept
  std::uint64_t incarnation = 0;  // of the sender
  std::uint64_t epoch = 0;        // the sender's half of the session's epoch
  std::uint64_t nonce = 0;        // fresh; only an echo of it is believed
  // The addressee's last nonce and epoch, 0 if none is known.
  std::uint64_t echo_nonce = 0;
  std::uint64_t echo_epoch = 0;
  // The sender takes so many bytes unconsumed, and frames and payloads of these
  // sizes. The reader clamps each claim to a limit of its own.
  std::uint64_t window_bytes = 0;
  std::uint64_t frame_bytes_max = 0;
  std::uint64_t payload_bytes_max = 0;
  std::uint8_t codec = 0;
  std::string cluster;
  // The sender's address in its own config, for people; never dialled.
  std::string address;
  std::uint32_t heartbeat_ms = 0;
  std::uint32_t peer_timeout_ms = 0;
  // Those of the addressee that the sender goes by; 0 without kFeatureLiveTimes, or
  // without a session.
  std::uint32_t your_heartbeat_ms = 0;
  std::uint32_t your_peer_timeout_ms = 0;
};

// The reason of a refusal. For an unknown code a reader shows the text.
enum class RefusalCode : std::uint16_t {
  kNoCommonVersion = 1,
  kWrongCluster = 2,
  kTwoProcesses = 3,  // refuses nothing: another process has the addressee's id
  kWrongDelivery = 4,  // the sender has the best-effort delivery
};

struct Refusal {
  RefusalCode code = RefusalCode::kNoCommonVersion;
  std::string text;              // for people
  std::uint64_t echo_nonce = 0;  // of the hello that is refused
  VersionRange versions;         // that the sender speaks
};

// Any other number means that the sender left.
enum class GoodbyeReason : std::uint16_t {
  kStopped = 1,
  kRemovedYou = 2,
};

struct Goodbye {
  GoodbyeReason reason = GoodbyeReason{0};
  std::string text;  // for people
};

// Texts are cut to their bound; zeros and empty texts are left out where they
// are not required.
std::string EncodeHello(const Hello& hello);
std::string EncodeRefusal(const Refusal& refusal);
std::string EncodeGoodbye(const Goodbye& goodbye);

// False if the body is malformed. A hello's incarnation, epoch and nonce are
// not 0, and its version_max is not less than its version_min.
bool DecodeHello(absl::string_view body, Hello* hello);
bool DecodeRefusal(absl::string_view body, Refusal* refusal);
bool DecodeGoodbye(absl::string_view body, Goodbye* goodbye);

}  // namespace cluster

#endif  // CLUSTER_CODEC_HELLO_H_
