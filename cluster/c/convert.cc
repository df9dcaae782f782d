#include "cluster/c/convert.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "cluster/stats.h"
#include "cluster/version.h"

namespace cluster::internal {
namespace {

// The header has the library's own numbers.
template <typename Enum>
constexpr int Number(Enum value) {
  return static_cast<int>(value);
}
static_assert(CLUSTER_CANCELLED == Number(absl::StatusCode::kCancelled));
static_assert(CLUSTER_UNAUTHENTICATED ==
              Number(absl::StatusCode::kUnauthenticated));
static_assert(CLUSTER_BROADCAST == kBroadcast);
static_assert(CLUSTER_NOBODY == PeerEvent::kNobody);
static_assert(CLUSTER_REQUEST_VOTE_RESPONSE ==
              Number(MsgType::kRequestVoteResponse));
static_assert(CLUSTER_LANE_URGENT == Number(Lane::kUrgent));
static_assert(CLUSTER_LANE_BULK == Number(Lane::kBulk));
static_assert(int{CLUSTER_PEER_UP} == int{PeerEvent::kUp});
static_assert(int{CLUSTER_PEER_WARNING} == int{PeerEvent::kWarning});
static_assert(CLUSTER_DROPPED_OVERFLOW == Number(DropReason::kOverflow));
static_assert(CLUSTER_DROPPED_PEER_RESTART == Number(DropReason::kPeerRestart));
static_assert(CLUSTER_DROPPED_REMOVED == Number(DropReason::kRemoved));
static_assert(CLUSTER_DROPPED_TOO_LARGE == Number(DropReason::kTooLarge));
static_assert(CLUSTER_DROPPED_STOPPED == Number(DropReason::kStopped));
static_assert(CLUSTER_DROPPED_UNSUPPORTED == Number(DropReason::kUnsupported));
static_assert(CLUSTER_DROPPED_EXPIRED == Number(DropReason::kExpired));
static_assert(CLUSTER_DROPPED_SUPERSEDED == Number(DropReason::kSuperseded));
static_assert(CLUSTER_DROPPED_WITHDRAWN == Number(DropReason::kWithdrawn));
static_assert(CLUSTER_DROPPED_WITHDRAWN + 1 == kDropReasons);

// The sizes of the structs in their first versions, and more than any version has.
constexpr std::size_t kEnvelopeSizeMin =
    offsetof(cluster_envelope, correlation) + sizeof(std::uint64_t);
constexpr std::size_t kOptionsSizeMin =
    offsetof(cluster_send_options, replaces) + sizeof(std::uint64_t);
constexpr std::size_t kSizeMax = 1024;

// Reads the fields that the caller's version of the struct has; `known` has the
// others' defaults. Those of a later version must be zero: they would be lost.
template <typename Struct>
absl::Status Read(const char* name, const char* init, std::size_t size_min,
                  const Struct* from, Struct* known) {
  const std::size_t size = from->size;
  if (size < size_min || size > kSizeMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, " of size ", size, ": want ", size_min, " to ",
                     kSizeMax, "; begin with ", init));
  }
  const auto* const bytes = reinterpret_cast<const unsigned char*>(from);
  if (size > sizeof(Struct) &&
      std::any_of(bytes + sizeof(Struct), bytes + size,
                  [](unsigned char byte) { return byte != 0; })) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, " uses fields beyond byte ", sizeof(Struct), ", which version ",
        kVersion,
        " of the library does not know; use a newer one, or leave them 0"));
  }
  std::memcpy(known, from, std::min(size, sizeof(Struct)));
  return absl::OkStatus();
}

}  // namespace

cluster_message_id ToC(const MessageId& id) {
  return {id.incarnation, id.sequence};
}

cluster_envelope ToC(const EnvelopeView& view) {
  cluster_envelope envelope = CLUSTER_ENVELOPE_INIT;
  envelope.pid = view.pid;
  envelope.sender_id = view.sender_id;
  envelope.msg_type = static_cast<std::uint16_t>(view.msg_type);
  envelope.lane = static_cast<std::uint8_t>(view.lane);
  envelope.voted = view.voted ? 1 : 0;
  envelope.term = view.term;
  envelope.payload = view.payload.empty() ? "" : view.payload.data();
  envelope.payload_size = view.payload.size();
  envelope.message_id = ToC(view.message_id);
  envelope.group = view.group;
  envelope.correlation = view.correlation;
  return envelope;
}

cluster_peer_event ToC(const PeerEvent& event, const std::string& text) {
  cluster_peer_event out;
  out.size = sizeof(out);
  out.type = event.type;
  out.peer = event.peer;
  out.stranger_identity = event.stranger.identity.value_or(CLUSTER_NOBODY);
  out.text = text.c_str();
  out.reason = event.reason.c_str();
  out.unknown_fate = event.unknown_fate;
  out.resent = event.resent;
  out.withheld = event.withheld;
  out.stranger_address = event.stranger.address.c_str();
  out.stranger_source = event.stranger.source.c_str();
  return out;
}

absl::Status FromC(const cluster_envelope* envelope, EnvelopeView* view) {
  if (absl::Status status = NotNull({{"envelope", envelope}}); !status.ok())
    return status;
  cluster_envelope known = CLUSTER_ENVELOPE_INIT;
  if (absl::Status status = Read("an envelope", "CLUSTER_ENVELOPE_INIT",
                                 kEnvelopeSizeMin, envelope, &known);
      !status.ok())
    return status;
  if (known.payload == nullptr && known.payload_size > 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "payload is NULL, and payload_size is ", known.payload_size));
  }
  view->message_id = {known.message_id.incarnation, known.message_id.sequence};
  view->pid = known.pid;
  view->msg_type = static_cast<MsgType>(known.msg_type);
  view->sender_id = known.sender_id;
  view->lane = static_cast<Lane>(known.lane);
  view->voted = known.voted != 0;
  view->term = known.term;
  if (known.payload_size > 0) {
    view->payload = absl::string_view(static_cast<const char*>(known.payload),
                                      known.payload_size);
  }
  view->group = known.group;
  view->correlation = known.correlation;
  return absl::OkStatus();
}

absl::Status FromC(const cluster_send_options* options, SendOptions* out) {
  if (absl::Status status = NotNull({{"options", options}}); !status.ok())
    return status;
  cluster_send_options known = CLUSTER_SEND_OPTIONS_INIT;
  if (absl::Status status = Read("options", "CLUSTER_SEND_OPTIONS_INIT",
                                 kOptionsSizeMin, options, &known);
      !status.ok())
    return status;
  if (known.zero != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("options: zero is ", known.zero, ": want 0"));
  }
  if (absl::Status status =
          ToTimeout("timeout_ms", known.timeout_ms, &out->timeout);
      !status.ok())
    return status;
  out->only_if_up = known.only_if_up != 0;
  out->report_fate = known.report_fate != 0;
  out->replaces = known.replaces;
  return ToTimeout("expires_after_ms", known.expires_after_ms,
                   &out->expires_after);
}

absl::Status ToTimeout(const char* name, std::int64_t milliseconds,
                       absl::Duration* timeout) {
  if (milliseconds < CLUSTER_FOREVER) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, " is ", milliseconds,
                     ": want 0, a positive number or CLUSTER_FOREVER"));
  }
  *timeout = milliseconds == CLUSTER_FOREVER ? absl::InfiniteDuration()
                                             : absl::Milliseconds(milliseconds);
  return absl::OkStatus();
}

}  // namespace cluster::internal
