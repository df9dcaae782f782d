// PeerEvent: what became of a peer, as Server::OnPeerEvent tells it.
//
// Order: kUp precedes the first envelope of a session, kRestarted lies between
// the envelopes of two sessions. Where over a thousand events wait for a handler
// that does not return, a peer's later ones are told in its earlier ones' place:
// its last state, that there were restarts, and their sums. Threads and
// ownership: a value. What it is
// not: a membership protocol; who belongs to the cluster is the config's and
// AddPeer's to say.
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
    kDown,  // not heard for peer_timeout, or it does not hear this server, or
            // it said goodbye: it stopped, or it removed this server; its
            // session and queue are kept
    kRestarted,  // a new session: the peer is another process, or forgot us;
                 // kUp follows
    kRemoved,    // RemovePeer; nothing but kRejected follows
    kRejected,   // a connection, frame or envelope was turned away that came
                 // in this peer's name, or in nobody's; or this peer turned
                 // this server away ("server 2 refuses this server: ...").
                 // Its session, if there is one, goes on
  };
  static constexpr int kNobody = -1;  // of kRejected: no member's id

  Type type = kUp;
  int peer = 0;
  std::string reason;  // for people

  // kRestarted, kRemoved: envelopes whose fate is unknown, transmitted but not
  // known to be consumed, and how many of them go to the new session first
  // (on_peer_restart). The others are dropped and counted.
  std::uint64_t unknown_fate = 0;
  std::uint64_t resent = 0;

  // kRejected: how many like it there were since the last such event. A flood
  // is one event a second; Stats counts each.
  std::uint64_t withheld = 0;
};

const char* PeerEventTypeName(PeerEvent::Type type);

// One line: "peer 2 down: not heard for 2s".
std::ostream& operator<<(std::ostream& out, const PeerEvent& event);

}  // namespace cluster

#endif  // CLUSTER_PEER_EVENT_H_
