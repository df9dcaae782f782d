// The envelope: one message of the user, and its parts.
//
// What it is: plain data. `Envelope` owns its payload and is what a caller
// fills in and what `Receive` returns; `EnvelopeView` borrows its payload and
// is what codecs read and `OnEnvelope` handlers get. What it is not: a wire
// format (see codec/) or an address book (see cluster/config.h).
//
// Threads: values, no shared state. Ownership: `Envelope` owns, `EnvelopeView`
// borrows.
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

namespace cluster {

// The pid that means every member but the sender.
inline constexpr int kBroadcast = -1;

// Server ids are 0..kServerIdMax.
inline constexpr int kServerIdMax = 0x7fffffff;

// What a message is for. 4-63 are the library's to assign, and Send refuses
// them; 64 and above are the application's.
enum class MsgType : std::uint16_t {
  kAppendEntriesRequest = 0,
  kAppendEntriesResponse = 1,
  kRequestVoteRequest = 2,
  kRequestVoteResponse = 3,
};

// Which queue of a link an envelope waits in. A lane is FIFO; between lanes
// there is no order: an urgent envelope overtakes normal ones, and these
// overtake bulk ones.
enum class Lane : std::uint8_t { kUrgent = 0, kNormal = 1, kBulk = 2 };
inline constexpr int kLanes = 3;

// With the sender's id, unique for ever. `incarnation` names one life of the
// sending process; `sequence` is from 1 in each. Ids are unique, not in order:
// threads take numbers ahead, and lanes overtake each other. A later life has
// another incarnation, and a greater one only while its host's clock does not
// go back. So look for duplicates among the ids that you have seen; an id below
// the highest one may be new. The zero value means "none yet".
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
  MessageId message_id{};  // assigned by Send; the same at every recipient of a
                           // broadcast
  int pid = 0;             // recipient, or kBroadcast
  MsgType msg_type = MsgType::kAppendEntriesRequest;
  int sender_id = 0;       // assigned by Send
  std::uint64_t term = 0;  // of the sender
  bool voted = false;      // for that term: the sender has voted; in an answer
                           // to a request for its vote: it votes for the asker
  std::string payload;
  Lane lane = Lane::kNormal;
  // The application's own, and 0 if it has none: which of several groups the
  // envelope belongs to, and which request it answers. An envelope that has one
  // of them is dropped, and counted, if its recipient's library does not know
  // them.
  std::uint64_t group = 0;
  std::uint64_t correlation = 0;

  friend bool operator==(const Envelope& a, const Envelope& b);
  friend bool operator!=(const Envelope& a, const Envelope& b) {
    return !(a == b);
  }
};

// An envelope whose payload lies in somebody else's buffer. In a handler it is
// valid until the handler returns.
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
  Envelope ToEnvelope() const;
  // The same into the memory that `envelope` has already. Where that is not
  // enough and memory ends, std::bad_alloc, and `envelope` is as it was.
  void CopyTo(Envelope* envelope) const;
};

// "AppendEntriesRequest" and so on; "MsgType(70)" for the application's.
std::string MsgTypeName(MsgType type);
// "urgent", "normal", "bulk".
absl::string_view LaneName(Lane lane);
// "<incarnation>-<sequence>", as in the JSON form.
std::string ToString(const MessageId& id);

// One line for logs and test failures; the payload is shortened.
std::ostream& operator<<(std::ostream& out, const MessageId& id);
std::ostream& operator<<(std::ostream& out, const Envelope& envelope);

}  // namespace cluster

#endif  // CLUSTER_ENVELOPE_H_
