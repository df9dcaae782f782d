// Server: one member of a cluster, and the entry point for users.
//
// It sends envelopes to the other members by id and receives theirs, over the
// transport that the config names. It owns its sockets and threads.
//
// Call every method from any thread, also concurrently, unless it says
// otherwise. Handlers run one at a time per server, on a thread of the library
// that holds no lock meanwhile. In a handler Send never waits; Flush, Receive,
// ReloadSecurity and ApplyConfig answer kFailedPrecondition, and Stop does nothing.
// A handler must not throw and must not destroy its server. Stop the server before
// you destroy whatever its handlers use.
//
// Errors are absl::Status with a text that says what to do. A call without memory
// answers kResourceExhausted and has done nothing; only NewServer, Stats,
// CurrentConfig, Peers and Address throw std::bad_alloc. docs/using.md has more on
// memory, fork and exit.
//
//   auto server = cluster::NewServer(1, "configs/cluster.json");
//   if (!server.ok()) { std::cerr << server.status() << "\n"; return 1; }
//   (*server)->OnEnvelope([](const cluster::EnvelopeView& envelope) { ... });
//   absl::Status status = (*server)->Start();
//   cluster::Envelope vote;
//   vote.pid = 2;
//   vote.msg_type = cluster::MsgType::kRequestVoteRequest;
//   vote.term = 7;
//   status = (*server)->Send(vote);

#ifndef CLUSTER_SERVER_H_
#define CLUSTER_SERVER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "cluster/config.h"
#include "cluster/envelope.h"
#include "cluster/export.h"
#include "cluster/fate.h"
#include "cluster/log.h"
#include "cluster/peer_event.h"
#include "cluster/stats.h"
#include "cluster/transport/transport.h"

namespace cluster {

namespace internal {
class ServerCore;
}  // namespace internal

// The conditions of one Send. With best-effort delivery, and for this server's own
// id, nothing waits to be transmitted: there expires_after and replaces do
// nothing.
struct SendOptions {
  // See Send. A wait ends with expires_after too.
  absl::Duration timeout = absl::ZeroDuration();
  // kUnavailable at once if the peer is not up. It may still go down before it
  // gets the envelope, which then waits, unless it expires.
  bool only_if_up = false;
  // An envelope that is not transmitted within this time is dropped and counted
  // (kExpired), at most 100 ms later. Zero or less: kDeadlineExceeded.
  absl::Duration expires_after = absl::InfiniteDuration();
  // A key, 0 for none: an envelope with the same key, peer, lane and group that
  // is not transmitted yet is dropped and counted (kSuperseded). This one waits
  // at the end of its lane. So the heartbeats for a peer that is down are one.
  // Keys with the highest bit set are those of Caller (caller.h).
  std::uint64_t replaces = 0;
  // OnFate hears what becomes of it. kFailedPrecondition: no such handler, or
  // best-effort delivery. kResourceExhausted: 65536 wait for their fates, or for
  // the handler.
  bool report_fate = false;
};

// The result of a multicast.
struct MulticastResult {
  // OK if every recipient's queue took it; else the first recipient's error,
  // and the number of further ones.
  absl::Status status;
  // The same for all. Zero if nothing was sent: an unknown pid, before
  // SendMessage, after Stop.
  MessageId message_id{};
  // Per pid, in the order given.
  std::vector<std::pair<int, absl::Status>> peers;

  bool ok() const { return status.ok(); }
};

// An envelope or an event, from ReceiveAny.
struct Item {
  absl::optional<Envelope> envelope;
  absl::optional<PeerEvent> event;
};

// A received payload that outlives its handler (Server::Keep). The bytes never
// change, and copies of this share them. Any thread may drop the last one, also when
// the server is gone.
struct KeptPayload {
  absl::string_view bytes;
  bool copied = false;
  std::shared_ptr<const void> owner;
};

class CLUSTER_EXPORT Server {
 public:
  ~Server();  // stops
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // SendMessage and ReceiveMessage in one.
  absl::Status Start();

  // Accepts an envelope for its pid: another member, this server (local
  // delivery) or kBroadcast (all but this server). It assigns message_id and
  // sender_id, whatever they hold. An accepted envelope is delivered, or its
  // loss is reported and counted (docs/guarantees.md).
  //
  // Waits for at most `timeout` for room in the peer's queue; never in a
  // handler. Two servers that both wait here and never receive wait for each
  // other.
  //
  // kResourceExhausted: no room (with a zero timeout or in a handler), or no
  // memory. kDeadlineExceeded: no room within the timeout. kNotFound: no such
  // member; the text lists them. Nothing was sent. kInvalidArgument: the
  // payload is over payload_bytes_max; the lane is unknown; the msg_type is
  // reserved; the pid is below kBroadcast. With best-effort delivery also: the
  // encoded message is over kFrameBytesLimit. kFailedPrecondition: before
  // SendMessage. kCancelled: after Stop.
  //
  // A broadcast answers the first recipient's error; the other recipients got
  // theirs (see Multicast).
  absl::Status Send(const Envelope& envelope,
                    absl::Duration timeout = absl::ZeroDuration());

  // The same, and returns the id that it assigned.
  absl::StatusOr<MessageId> SendWithId(
      const Envelope& envelope, absl::Duration timeout = absl::ZeroDuration());

  // The same for a payload in memory of the caller's, which may change once the
  // call has returned.
  absl::Status Send(const EnvelopeView& envelope,
                    absl::Duration timeout = absl::ZeroDuration());
  absl::StatusOr<MessageId> SendWithId(
      const EnvelopeView& envelope,
      absl::Duration timeout = absl::ZeroDuration());

  // The same with options, which a broadcast decides for each recipient. With
  // expires_after, replaces or report_fate an envelope costs more than others: an
  // allocation, and a place of its own in the queue. Options count until it is
  // transmitted for the first time: in a frame, even one that is lost. If the peer
  // restarts and the envelope is to be sent again, they count anew. kUnavailable:
  // only_if_up.
  absl::Status Send(const Envelope& envelope, const SendOptions& options);
  absl::Status Send(const EnvelopeView& envelope, const SendOptions& options);
  absl::StatusOr<MessageId> SendWithId(const Envelope& envelope,
                                       const SendOptions& options);
  absl::StatusOr<MessageId> SendWithId(const EnvelopeView& envelope,
                                       const SendOptions& options);

  // The same for an envelope that is not needed any more. A payload of more than
  // half of frame_bytes is taken and not copied, if the envelope is for one server,
  // and in the binary form. Over zmq and memory the transport copies it. After an
  // error the envelope is as it was; else its payload may be.
  absl::Status Send(Envelope&& envelope,
                    absl::Duration timeout = absl::ZeroDuration());
  absl::Status Send(Envelope&& envelope, const SendOptions& options);
  absl::StatusOr<MessageId> SendWithId(
      Envelope&& envelope, absl::Duration timeout = absl::ZeroDuration());
  absl::StatusOr<MessageId> SendWithId(Envelope&& envelope,
                                       const SendOptions& options);

  // The same for a payload in several pieces, whatever the envelope's own is. They
  // are joined where they are encoded, in one copy. For a broadcast, best effort or
  // JSON they are joined before.
  absl::StatusOr<MessageId> SendPieces(
      const EnvelopeView& envelope, absl::Span<const absl::string_view> pieces,
      const SendOptions& options = SendOptions());

  // Drops the envelope with that SendOptions::replaces, pid, lane and group, and
  // counts it (kWithdrawn). kNotFound: there is none that was never transmitted.
  absl::Status Withdraw(int pid, Lane lane, std::uint64_t group,
                        std::uint64_t replaces);

  // Sends one envelope to several members and ignores its pid. First it serves
  // all that have room, then it waits for the others, for at most `timeout`. It
  // checks all pids before it sends anything; duplicates count once; the own id
  // delivers locally. All get the same message id, each with its own id as pid.
  // No pids are OK and send nothing. Errors as Send's; kInvalidArgument also
  // for kBroadcast among the pids.
  MulticastResult Multicast(absl::Span<const int> pids,
                            const Envelope& envelope,
                            absl::Duration timeout = absl::ZeroDuration());
  MulticastResult Multicast(absl::Span<const int> pids,
                            const EnvelopeView& envelope,
                            absl::Duration timeout = absl::ZeroDuration());
  MulticastResult Multicast(absl::Span<const int> pids,
                            const Envelope& envelope,
                            const SendOptions& options);
  MulticastResult Multicast(absl::Span<const int> pids,
                            const EnvelopeView& envelope,
                            const SendOptions& options);

  // Returns the next envelope; waits for at most `timeout`. kDeadlineExceeded:
  // no envelope came. kFailedPrecondition: before ReceiveMessage, with an
  // OnEnvelope handler, or in a handler. kCancelled: the server was stopped.
  absl::StatusOr<Envelope> Receive(
      absl::Duration timeout = absl::InfiniteDuration());

  // Waits for the first envelope as Receive does, then takes all that are
  // there, at most `envelopes_max` (at least 1). It ends before an event for
  // which OnPeerEvent has not returned yet. It replaces the content of `out`
  // and reuses its memory: with the same vector, only a batch larger than the
  // one before allocates. After an error `out` is as it was.
  absl::Status ReceiveBatch(std::vector<Envelope>* out, int envelopes_max,
                            absl::Duration timeout = absl::InfiniteDuration());

  // Returns the next envelope or event, in one order (peer_event.h). Errors as
  // Receive's; kFailedPrecondition also with OnPeerEvent or OnStranger. Receive and
  // ReceiveBatch pass events over.
  absl::StatusOr<Item> ReceiveAny(
      absl::Duration timeout = absl::InfiniteDuration());
  // A descriptor for an event loop: readable while there is something to receive,
  // and after Stop. Poll it only: the server reads, writes and closes it, and it
  // lives as long as the server. Then receive with a zero timeout until
  // kDeadlineExceeded. From this call on each arrival in an empty inbox costs a
  // system call. kFailedPrecondition: with OnEnvelope. kResourceExhausted: no
  // descriptor.
  absl::StatusOr<int> NotifyFd();

  // Sets a handler for all envelopes, instead of Receive. Call it before Start;
  // later aborts.
  void OnEnvelope(std::function<void(const EnvelopeView&)> handler);
  // In an OnEnvelope handler: keeps the payload of its envelope. It copies nothing
  // if the payload is more than half of its frame, or large, and in the binary
  // form. Then it pins that frame, whose bytes count in ServerStats::kept_bytes.
  // They may be a part of memory_bytes_max (docs/using.md); beyond that, and for
  // other payloads, it makes a copy. For the sender the envelope is acknowledged
  // when the handler returns. kFailedPrecondition: not in such a handler.
  absl::StatusOr<KeptPayload> Keep(const EnvelopeView& envelope);
  // Sets a handler for peers that go up or down, restart or are removed, and
  // for rejections. Call it before Start; later aborts. With OnEnvelope it runs
  // between envelopes, so from ReceiveMessage on; else at once (peer_event.h).
  void OnPeerEvent(std::function<void(const PeerEvent&)> handler);

  // Sets a handler for servers that greet and are no members; it gets the events
  // kStranger instead of OnPeerEvent. It may admit one: AddPeer with its id and its
  // claimed address, or another. Without security anybody may claim anything. With
  // security admit only one whose `identity` is its id: then its key is trusted.
  // One that is not admitted comes again, more and more rarely. Call it before
  // Start; later aborts.
  void OnStranger(std::function<void(const Stranger&)> handler);
  // Sets a handler for the fates of envelopes with report_fate: once for each
  // that was accepted, and maybe before Send returns. Stop tells none of those
  // that it drops. Call it before Start; later aborts. Fates come in no order
  // relative to envelopes and events.
  void OnFate(std::function<void(const Fate&)> handler);

  // Sets a sink for the server's log: its start and stop, and each PeerEvent. It
  // runs on a thread of its own that holds no lock, some dozens of times a second
  // at most. It may call the server, but not Stop. Without a sink the server logs
  // nothing. Call it before Start; later aborts.
  void SetLogSink(std::function<void(const LogRecord&)> sink);

  // Waits for at most `timeout` until every envelope that was accepted before
  // the call is acknowledged, or dropped and counted; those to this server too.
  // It does not wait for later ones. Acknowledged means that the peer's Receive
  // returned it or that its handler was called with it, not that the peer
  // acted. kDeadlineExceeded names the servers that are behind.
  // kFailedPrecondition: best-effort delivery, or in a handler. kCancelled: the
  // server was stopped.
  absl::Status Flush(absl::Duration timeout);
  // The same for the envelopes to one member, or to this server. Slow or dead
  // other members do not matter. kNotFound: no such member. kInvalidArgument:
  // the pid is negative.
  absl::Status Flush(int pid, absl::Duration timeout);

  // Says that the application lives, for application_timeout_ms: call it more
  // often than that. From the first call on this alone counts, also while nothing
  // arrives. It does not wait; it costs an atomic addition.
  void Renew();

  // Does not wait, and works after Stop too. In a child of fork it has no
  // figures per peer.
  ServerStats Stats() const;

  // The config as it is used now: with the present members and their addresses.
  // In a child of fork it may be empty, as Peers.
  Config CurrentConfig() const;

  // Measures a round trip to a member that is up, and does not wait for it: its
  // PeerStats::round_trips grow once it is measured. The probe takes the way of
  // envelopes, both ways, but for their queue. kNotFound: no such member.
  // kFailedPrecondition: best-effort delivery, or before SendMessage.
  absl::Status Probe(int pid);

  // Adds a member, before or after Start, without waiting for a connection. The
  // others must learn of this server by their own AddPeer or config. Replaces
  // the address of a member whose port is 0. kAlreadyExists: the id is a
  // member. kInvalidArgument: the id is out of range; or the address is
  // malformed, another member's or this server's.
  absl::Status AddPeer(int id, const std::string& address);
  // Removes a member and says goodbye to it if it is connected. Envelopes that
  // it has not acknowledged are dropped and counted; the event kRemoved says
  // how many of them were transmitted. kNotFound: no such member.
  //
  // With `drain` it first waits for at most that long until the member has
  // acknowledged all; Send to it is kNotFound from the call on.
  // kDeadlineExceeded: it was removed, and not all was acknowledged.
  // kFailedPrecondition: it would wait in a callback. Best effort never waits.
  absl::Status RemovePeer(int id, absl::Duration drain = absl::ZeroDuration());
  // Gives a member another address. The connection is closed, and the new address
  // dialled. Its queue stays, and its session too if the same process answers
  // there; else it is a restart. An update to its present address does nothing.
  // kNotFound: no such member. kInvalidArgument: as AddPeer; or port 0.
  absl::Status UpdatePeer(int id, const std::string& address);

  // Reads the keys and the peers' public files again, and a folder of peers as
  // it is now, for new connections. The old connections of a peer that is no
  // longer listed, or whose key changed, carry nothing more in either
  // direction. Its session and queue stay; RemovePeer ends those. Other peers
  // lose nothing. It reads files and may wait for the receiving thread. After
  // an error all is as it was. kFailedPrecondition: security is not configured,
  // or in a handler.
  absl::Status ReloadSecurity();

  // Takes the keys of another config that docs/config.md calls live. Members come,
  // go and move as with AddPeer, RemovePeer and UpdatePeer. They are those of the
  // config, so one of AddPeer's that it lacks is removed; one with port 0 stays where
  // it is. Key files are read again as by ReloadSecurity. Nothing is lost on what
  // stays. Other times reach the peers at once. A shorter timeout counts for a peer
  // when it has agreed, so none is down for it.
  //
  // After an error all is as it was. kFailedPrecondition: a key that is not live
  // differs, or a peer's release knows no other times: the text names them; or in a
  // handler. Otherwise as ValidateConfig, AddPeer and ReloadSecurity. It may wait as
  // ReloadSecurity does.
  absl::Status ApplyConfig(const Config& config);

  int Pid() const;
  std::vector<int> Peers() const;  // sorted, without this server
  // The address that it listens at, port resolved; before that the configured
  // one. In a child of fork Peers and Address may be empty, if fork met a
  // change of them.
  std::string Address() const;

  // Tries for at most linger_ms to get accepted envelopes out, then closes. It
  // blocks for linger_ms and a little, and until a running handler has
  // returned. No handler runs afterwards. Idempotent.
  void Stop();

 private:
  friend absl::Status SendMessage(Server& server);
  friend absl::Status ReceiveMessage(Server& server);
  friend absl::StatusOr<std::unique_ptr<Server>> NewServer(
      int server_id, Config config, TransportFactory factory);
  explicit Server(std::unique_ptr<internal::ServerCore> core);

  std::unique_ptr<internal::ServerCore> core_;
};

// Makes the server with that id; the config has its address and the other
// members. Checks everything, opens nothing and starts no thread. kNotFound:
// the file does not exist, or the config has no such id. kInvalidArgument: an
// error in the config; the text has its line and path.
CLUSTER_EXPORT absl::StatusOr<std::unique_ptr<Server>> NewServer(
    int server_id, const std::string& config_file);
CLUSTER_EXPORT absl::StatusOr<std::unique_ptr<Server>> NewServer(int server_id,
                                                                 Config config);
// The same with a transport of the caller's; ignores config.transport.
CLUSTER_EXPORT absl::StatusOr<std::unique_ptr<Server>> NewServer(
    int server_id, Config config, TransportFactory factory);

// Starts sending. The first of SendMessage and ReceiveMessage binds the
// server's address and dials the others in the background; both are idempotent.
// kAlreadyExists: the address is in use. After an error of binding it may be
// called again. The server is stopped after an error of dialling (the transport
// refuses an address), or if the system has no more threads
// (kResourceExhausted). kFailedPrecondition: in a child of fork, if the parent
// has started this server or, with nng, any.
CLUSTER_EXPORT absl::Status SendMessage(Server& server);
// Starts receiving. Errors as SendMessage's.
CLUSTER_EXPORT absl::Status ReceiveMessage(Server& server);

}  // namespace cluster

#endif  // CLUSTER_SERVER_H_
