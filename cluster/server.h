// Server: one member of a cluster, and the way in for users.
//
// What it is: envelopes to and from the other members, by id, over whatever
// transport the config names. What it is not: a consensus algorithm, an RPC
// framework, a broker or a discovery service.
//
// Threads: every method may be called from any thread, and at the same time,
// unless it says otherwise. Callbacks run one at a time per server, on the
// transport's receiving thread or on one of the server's, with no lock held. In
// a callback Send never waits; Flush, Receive and ReloadSecurity answer
// kFailedPrecondition, and Stop does nothing. Ownership: the server owns its
// sockets and threads; envelopes are copied in, and out of Receive; a handler's
// view dies with the call. Errors: absl::Status with a text that says what to
// do.
//
// Where memory ends a call answers kResourceExhausted and has done nothing: an
// envelope was not accepted, one that Receive had no memory for comes again, and
// all that was accepted before stands. Only NewServer, Stats, Peers and Address
// throw std::bad_alloc. An allocation that fails in Stop, in a change of members
// or on a thread of the library ends the process with a text.
//
// A callback that throws ends the process with a text on stderr. One that
// destroys its server (exit does that to a static one) draws such a text too;
// the server says goodbye, runs no further callback, and its threads and
// sockets stay until the process ends.
//
// A process may fork before Start, and start the server on either side. In a
// child of a process that has started it, the server is inert: calls answer
// kFailedPrecondition, and Stop and the destructor do nothing
// (docs/using.md, Fork and exit).
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

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "cluster/config.h"
#include "cluster/envelope.h"
#include "cluster/peer_event.h"
#include "cluster/stats.h"
#include "cluster/transport/transport.h"

namespace cluster {

class ServerCore;

// What became of a multicast or broadcast.
struct MulticastResult {
  // OK if every recipient's queue took it; else the first recipient's trouble,
  // with how many more.
  absl::Status status;
  // The same for all; zero if it was not begun: an unknown pid, before
  // SendMessage, after Stop.
  MessageId message_id{};
  std::vector<std::pair<int, absl::Status>>
      peers;  // per pid, in the order given

  bool ok() const { return status.ok(); }
};

class Server {
 public:
  ~Server();  // stops
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // SendMessage and ReceiveMessage in one.
  absl::Status Start();

  // Accepts an envelope for its pid: another member, this server (it is
  // delivered locally) or kBroadcast (all but this server). The fields
  // message_id and sender_id are assigned, whatever they hold. An accepted
  // envelope is delivered, or its loss is reported and counted
  // (docs/guarantees.md).
  //
  // Does not wait with a zero timeout or in a callback; else for at most
  // `timeout` for room in the peer's queue. Two servers that both wait here and
  // never receive wait for each other.
  //
  // kNotFound: no such member, the text names them; nothing was sent.
  // kInvalidArgument: the payload is over payload_bytes_max, or with
  // best-effort delivery the message that it makes over kFrameBytesLimit; the
  // lane is none, the msg_type one that is reserved, the pid below kBroadcast.
  // kResourceExhausted: no room, with a zero timeout, or no memory;
  // kDeadlineExceeded: no room within it. kFailedPrecondition: before
  // SendMessage. kCancelled: after Stop.
  // A broadcast answers the first recipient's trouble; the others have got
  // theirs (see Multicast).
  absl::Status Send(const Envelope& envelope,
                    absl::Duration timeout = absl::ZeroDuration());

  // The same, and tells the id that it assigned.
  absl::StatusOr<MessageId> SendWithId(
      const Envelope& envelope, absl::Duration timeout = absl::ZeroDuration());

  // Sends one envelope to several members, whatever its pid says: to each with
  // room at once, then it waits for the others. The pids are checked before
  // anything is sent; duplicates count once; the own id delivers locally. All
  // get the same message id, each with its own id as pid; no pids is OK and sends
  // nothing. Errors as Send's; kInvalidArgument also for kBroadcast among them.
  MulticastResult Multicast(absl::Span<const int> pids,
                            const Envelope& envelope,
                            absl::Duration timeout = absl::ZeroDuration());

  // The next envelope, waiting for at most `timeout`. kDeadlineExceeded: none
  // came. kFailedPrecondition: before ReceiveMessage, with a handler set, or in
  // a callback. kCancelled: the server was stopped.
  absl::StatusOr<Envelope> Receive(
      absl::Duration timeout = absl::InfiniteDuration());

  // Waits as Receive does for the first, then takes what is there at once, at
  // most `envelopes_max` (at least 1) in all, up to an event for which
  // OnPeerEvent has not returned yet. It replaces what `out` held, and uses its memory again: with the
  // same vector every time, only a batch that is larger than the one before
  // allocates. After an error `out` is as it was.
  absl::Status ReceiveBatch(std::vector<Envelope>* out, int envelopes_max,
                            absl::Duration timeout = absl::InfiniteDuration());

  // Called for each envelope, instead of Receive. Set it before Start; later
  // aborts.
  void OnEnvelope(std::function<void(const EnvelopeView&)> handler);
  // Called when a peer goes up, down, restarts or is removed, and when somebody
  // is turned away. Set it before Start; later aborts. With OnEnvelope it is
  // called between envelopes, so from ReceiveMessage on; else at once
  // (peer_event.h).
  void OnPeerEvent(std::function<void(const PeerEvent&)> handler);

  // Waits until every envelope that was accepted before the call is
  // acknowledged (or dropped, and counted), whatever is sent meanwhile; those
  // to this server itself too. Acknowledged is what the peer's Receive has
  // returned or its handler was called with; what the peer makes of it is its
  // own affair. kDeadlineExceeded names the servers that are behind.
  // kFailedPrecondition: best effort, or in a callback. kCancelled: the server
  // was stopped.
  absl::Status Flush(absl::Duration timeout);
  // The same for what was accepted for one member, or for this server: others
  // that are behind or dead do not matter. kNotFound: no such member.
  // kInvalidArgument: the pid is negative.
  absl::Status Flush(int pid, absl::Duration timeout);

  // Also after Stop. In a child of fork without what is kept per peer.
  ServerStats Stats() const;

  // Adds a member, before or after Start; the others must learn of this server
  // by their own AddPeer or config. Replaces the address of a member whose port
  // is 0. kAlreadyExists: the id is a member. kInvalidArgument: the id, or the
  // address, which must not be another member's or this server's.
  absl::Status AddPeer(int id, const std::string& address);
  // Removes a member: what it has not acknowledged is dropped and counted,
  // kRemoved says how many had been transmitted. It is told, if it is connected.
  // kNotFound: it is none.
  absl::Status RemovePeer(int id);

  // Reads the keys and the peers' public material again, a folder of peers with
  // all that is in it now. New connections use the new; from a peer that is no
  // longer listed, or whose key changed, nothing is taken from then on over its
  // old connections, and nothing is sent to it over them; others lose nothing.
  // Its session and queue are kept: RemovePeer ends those. After an error all
  // is as it was. kFailedPrecondition: security is not configured, or in a
  // callback.
  absl::Status ReloadSecurity();

  int Pid() const;
  std::vector<int> Peers() const;  // sorted, without this server
  // Where it listens, port resolved; before it does, as configured. In a child
  // of fork both may be empty, where they were being changed at that moment.
  std::string Address() const;

  // Tries for at most linger_ms to get out what was accepted, then closes. It
  // returns within linger_ms and a little, but not before a handler that is
  // running has; then none will run. Idempotent.
  void Stop();

 private:
  friend absl::Status SendMessage(Server& server);
  friend absl::Status ReceiveMessage(Server& server);
  friend absl::StatusOr<std::unique_ptr<Server>> NewServer(
      int server_id, Config config, TransportFactory factory);
  explicit Server(std::unique_ptr<ServerCore> core);

  std::unique_ptr<ServerCore> core_;
};

// A server by its id; its address and the other members are in the config.
// Validates everything, opens nothing and starts no thread. kNotFound: the id or the file,
// kInvalidArgument: what the config says, or an unknown transport or codec.
absl::StatusOr<std::unique_ptr<Server>> NewServer(
    int server_id, const std::string& config_file);
absl::StatusOr<std::unique_ptr<Server>> NewServer(int server_id, Config config);
// With a transport of the caller's, whatever config.transport says.
absl::StatusOr<std::unique_ptr<Server>> NewServer(int server_id, Config config,
                                                  TransportFactory factory);

// Starts sending, as soon as invoked. The first of the two binds the server's
// address and dials the others; both are idempotent. kAlreadyExists: the address
// is in use. After an error of binding it may be called again; after one of
// dialling (an address that the transport refuses), or where the system has no
// more threads (kResourceExhausted), the server is stopped.
// kFailedPrecondition: in a child of fork, if the parent has started this server
// or, with nng, any.
absl::Status SendMessage(Server& server);
// Starts receiving, as soon as invoked.
absl::Status ReceiveMessage(Server& server);

}  // namespace cluster

#endif  // CLUSTER_SERVER_H_
