// PeerEvent: a change of a peer, for OnPeerEvent (server.h).
//
// Events have their places among the envelopes: kUp precedes the first envelope
// of a session, and kRestarted is between the envelopes of two sessions. Best
// effort has no sessions: there kUp is about the connection to the peer, and
// envelopes from it may come earlier. You get events according to how you
// receive:
// - With OnPeerEvent and OnEnvelope: both handlers run in that order, one call
//   at a time. So an event waits for the envelopes before it.
// - With OnPeerEvent and Receive: the handler runs at once, also while envelopes
//   before the event are unread. Receive returns those behind it only once the
//   handler has returned.
// - With ReceiveAny: it returns them in that order. Receive passes them over.
// - Otherwise: no events; Stats has their counts.
//
// While nobody takes them, events wait. Past a thousand of them, a peer's new event
// replaces the waiting one of the same type and adds its sums. So the last state of
// each peer comes last. Past two thousand the oldest is dropped.
//
//   server->OnPeerEvent([](const cluster::PeerEvent& event) {
//     std::cerr << event << "\n";
//   });

#ifndef CLUSTER_PEER_EVENT_H_
#define CLUSTER_PEER_EVENT_H_

#include <cstdint>
#include <ostream>
#include <string>

#include "absl/types/optional.h"
#include "cluster/export.h"

namespace cluster {

// Of a server that is no member. Only the identity is proven: in plaintext
// anybody may claim anything.
struct Stranger {
  std::string
      address;         // that it claims to have, at most 255 bytes; not escaped
  std::string source;  // its connection comes from there; "" if not known
  absl::optional<int> identity;  // that its connection proved
  int id = 0;                    // that it claims to have
};

struct PeerEvent {
  enum Type {
    kUp,    // there is a session and the peer is heard
    kDown,  // not heard for peer_timeout, or it does not hear this server. Or
            // it said goodbye: it stopped, or it removed this server ("removed
            // by server 1"). Or its application stands still
            // (application_timeout_ms). Or it did not come up within
            // peer_timeout of Start or AddPeer. Its session
            // and queue are kept. A second one follows if something connects
    // at the address of a peer that was unreachable, but does not answer
    kRestarted,  // a new session: the peer is another process, or forgot us;
                 // kUp follows
    kRemoved,    // RemovePeer; nothing but kRejected follows
    kRejected,   // this server refused a connection, frame or envelope in this
                 // peer's name, or in nobody's. Or this peer refused this
                 // server ("server 2 refuses this server: ..."). A session, if
                 // there is one, goes on
    kStranger,   // a server greets whose id is no member's; `stranger` has what
                 // is known of it. Nothing is dialled or sent because of it
    kWarning,    // nothing was refused, but somebody should look: two processes
                 // have the peer's id, times do not fit, or a handler was slow.
                 // Or a certificate of the peer, or of this server, expires
                 // within 30 days. Or this server's key files have changed, and
                 // were read anew or cannot be used
  };
  static constexpr int kNobody = -1;  // kRejected, kWarning: no member's id

  Type type = kUp;
  int peer = 0;
  std::string reason;  // for people

  // kRestarted, kRemoved: envelopes that were transmitted, but not known to be
  // consumed. `resent` of them go to the new session first (on_peer_restart);
  // the others are dropped and counted.
  std::uint64_t unknown_fate = 0;
  std::uint64_t resent = 0;

  // kRejected, kStranger, kWarning: the number of further ones since the last
  // event. A lasting trouble gives an event after 1 s, 2 s, 4 s, and so on up to 5
  // minutes; Stats counts each.
  std::uint64_t withheld = 0;

  Stranger stranger;  // of kStranger; `peer` is the id that it claims
};

CLUSTER_EXPORT const char* PeerEventTypeName(PeerEvent::Type type);

// One line: "peer 2 down: not heard for 2s".
CLUSTER_EXPORT std::ostream& operator<<(std::ostream& out,
                                        const PeerEvent& event);

}  // namespace cluster

#endif  // CLUSTER_PEER_EVENT_H_
