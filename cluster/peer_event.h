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
// - Without OnPeerEvent: no events; Stats has their counts.
//
// While a handler does not return, events wait. Past a thousand of them, a
// peer's new event replaces the waiting one of the same type and adds its sums.
// So the last state of each peer comes last, and memory stays bounded.
//
//   server->OnPeerEvent([](const cluster::PeerEvent& event) {
//     std::cerr << event << "\n";
//   });

#ifndef CLUSTER_PEER_EVENT_H_
#define CLUSTER_PEER_EVENT_H_

#include <cstdint>
#include <ostream>
#include <string>

namespace cluster {

struct PeerEvent {
  enum Type {
    kUp,    // there is a session and the peer is heard
    kDown,  // not heard for peer_timeout, or it does not hear this server. Or
            // it said goodbye: it stopped, or it removed this server. Its
            // session and queue are kept
    kRestarted,  // a new session: the peer is another process, or forgot us;
                 // kUp follows
    kRemoved,    // RemovePeer; nothing but kRejected follows
    kRejected,   // this server refused a connection, frame or envelope in this
                 // peer's name, or in nobody's. Or this peer refused this
                 // server ("server 2 refuses this server: ..."). A session, if
                 // there is one, goes on
    kWarning,    // nothing was refused, but somebody should look: a certificate
                 // of the peer, or of this server, expires within 30 days. Or
                 // this server's key files have changed, and were read anew or
                 // cannot be used
  };
  static constexpr int kNobody = -1;  // of kRejected: no member's id

  Type type = kUp;
  int peer = 0;
  std::string reason;  // for people

  // kRestarted, kRemoved: envelopes that were transmitted, but not known to be
  // consumed. `resent` of them go to the new session first (on_peer_restart);
  // the others are dropped and counted.
  std::uint64_t unknown_fate = 0;
  std::uint64_t resent = 0;

  // kRejected: the number of further ones since the last event. A flood gives
  // one event a second; Stats counts each.
  std::uint64_t withheld = 0;
};

const char* PeerEventTypeName(PeerEvent::Type type);

// One line: "peer 2 down: not heard for 2s".
std::ostream& operator<<(std::ostream& out, const PeerEvent& event);

}  // namespace cluster

#endif  // CLUSTER_PEER_EVENT_H_
