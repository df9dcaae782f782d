// Envelope: one message of the user. EnvelopeView: the same with a borrowed
// payload.
//
// You fill in an Envelope for Send, and Receive returns one; it owns its
// payload. OnEnvelope handlers get an EnvelopeView, which is valid until the
// handler returns; ToEnvelope copies it. Both are plain values.
//
//   cluster::Envelope vote;
//   vote.pid = 2;                                         // or kBroadcast
//   vote.msg_type = cluster::MsgType::kRequestVoteRequest;
//   vote.term = 7;
//   server->Send(vote);

#ifndef CLUSTER_ENVELOPE_H_
#define CLUSTER_ENVELOPE_H_

#include <cstdint>
#include <ostream>
#include <string>

#include "absl/strings/string_view.h"
#include "cluster/export.h"

namespace cluster {

// The pid that means every member but the sender.
inline constexpr int kBroadcast = -1;

// Server ids are 0 to kServerIdMax.
inline constexpr int kServerIdMax = 0x7fffffff;

// The purpose of a message. 64 and above are the application's:
// static_cast<MsgType>(64). The library may assign 4 to 63; Send refuses them.
enum class MsgType : std::uint16_t {
  kAppendEntriesRequest = 0,
  kAppendEntriesResponse = 1,
  kRequestVoteRequest = 2,
  kRequestVoteResponse = 3,
};

// The queue to a peer in which an envelope waits. Each lane keeps its order.
// Urgent envelopes overtake normal ones, and these overtake bulk ones.
enum class Lane : std::uint8_t { kUrgent = 0, kNormal = 1, kBulk = 2 };
inline constexpr int kLanes = 3;

// In Envelope::correlation: it is an answer, and the rest is the correlation of
// its request (caller.h). Of each peer's queue, answer_bytes_reserved are kept for
// answers.
inline constexpr std::uint64_t kAnswerBit = std::uint64_t{1} << 63;

// Unique for ever, together with the sender's id. `incarnation` names one life
// of the sending process; in each, `sequence` counts from 1. Ids do not arrive
// in order: threads take numbers ahead, and lanes overtake each other. A later
// life has another incarnation, greater unless its host's clock went back. So
// an id below the highest one may be new: look for duplicates among the ids
// that you have seen. Zeros mean that no id is assigned yet.
struct MessageId {
  std::uint64_t incarnation = 0;
  std::uint64_t sequence = 0;

  friend bool operator==(const MessageId& a, const MessageId& b) {
    return a.incarnation == b.incarnation && a.sequence == b.sequence;
  }
  friend bool operator!=(const MessageId& a, const MessageId& b) {
    return !(a == b);
  }
};

struct Envelope {
  MessageId message_id{};  // Send assigns it; every recipient of a broadcast
                           // gets the same
  int pid = 0;             // recipient, or kBroadcast
  MsgType msg_type = MsgType::kAppendEntriesRequest;
  int sender_id = 0;       // Send assigns it
  std::uint64_t term = 0;  // of the sender
  bool voted = false;      // the sender has voted in that term; in an answer to
                           // a request for its vote: it votes for the asker
  std::string payload;     // any bytes, at most payload_bytes_max of the config
  Lane lane = Lane::kNormal;
  // For the application, 0 if unused: the one of several groups that the
  // envelope belongs to, and the request that it answers. A recipient whose
  // library is too old for them drops such an envelope; the sender counts it.
  std::uint64_t group = 0;
  std::uint64_t correlation = 0;

  CLUSTER_EXPORT friend bool operator==(const Envelope& a, const Envelope& b);
  friend bool operator!=(const Envelope& a, const Envelope& b) {
    return !(a == b);
  }
};

// An envelope with a borrowed payload. In a handler it is valid until the
// handler returns.
struct EnvelopeView {
  MessageId message_id{};
  int pid = 0;
  MsgType msg_type = MsgType::kAppendEntriesRequest;
  int sender_id = 0;
  std::uint64_t term = 0;
  bool voted = false;
  absl::string_view payload;
  Lane lane = Lane::kNormal;
  std::uint64_t group = 0;
  std::uint64_t correlation = 0;

  EnvelopeView() = default;
  // Implicit, so that an Envelope is accepted wherever only reading is needed.
  EnvelopeView(  // NOLINT(google-explicit-constructor)
      const Envelope& envelope)
      : message_id(envelope.message_id),
        pid(envelope.pid),
        msg_type(envelope.msg_type),
        sender_id(envelope.sender_id),
        term(envelope.term),
        voted(envelope.voted),
        payload(envelope.payload),
        lane(envelope.lane),
        group(envelope.group),
        correlation(envelope.correlation) {}

  // Copies the payload.
  CLUSTER_EXPORT Envelope ToEnvelope() const;
  // The same into the memory that `envelope` already has. std::bad_alloc: it
  // needed more, and `envelope` is as it was.
  CLUSTER_EXPORT void CopyTo(Envelope* envelope) const;
};

// "AppendEntriesRequest" and so on; "MsgType(70)" for the application's.
CLUSTER_EXPORT std::string MsgTypeName(MsgType type);
// "urgent", "normal", "bulk".
CLUSTER_EXPORT absl::string_view LaneName(Lane lane);
// "<incarnation>-<sequence>", as in the JSON form.
CLUSTER_EXPORT std::string ToString(const MessageId& id);

// One line for logs and test failures; the payload is shortened.
CLUSTER_EXPORT std::ostream& operator<<(std::ostream& out, const MessageId& id);
CLUSTER_EXPORT std::ostream& operator<<(std::ostream& out,
                                        const Envelope& envelope);

}  // namespace cluster

#endif  // CLUSTER_ENVELOPE_H_
