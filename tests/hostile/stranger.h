// Stranger: a client that speaks a backend's own wire, byte by byte, without
// its library.
//
// What it is: a TCP connection to a server and the few bytes that a backend's
// peers say before frames and around them: ZMTP 3.0 with the NULL mechanism for
// zmq (rfc.zeromq.org/spec/23), transport/stream/preamble.h for nng. So it can say
// anything, cut anywhere. What it is not: polite, or a peer.
//
// Threads: one. Errors: failed expectations.
//
//   Stranger stranger("zmq", server.Address());
//   stranger.Say(frame);                        // whole
//   stranger.SayBytes(Framed("zmq", frame).substr(0, 9));
//   EXPECT_TRUE(stranger.WaitForEnd());

#ifndef TESTS_HOSTILE_STRANGER_H_
#define TESTS_HOSTILE_STRANGER_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "cluster/transport/zmq/testing/raw_tcp.h"

namespace cluster {

// What a peer of that backend says first.
std::string Greeting(const std::string& backend);
// A frame as it stands on that backend's connections; with `claimed_bytes`, its
// length is said to be that.
std::string Framed(const std::string& backend, absl::string_view frame);
std::string Framed(const std::string& backend, absl::string_view frame,
                   std::uint64_t claimed_bytes);

class Stranger {
 public:
  // Dials and says the greeting.
  Stranger(const std::string& backend, const std::string& address);

  void Say(absl::string_view frame);
  void SayBytes(const std::string& bytes);
  // FIN: nothing more will come.
  void Finish() { connection_.FinishWriting(); }
  // Whether the server closes within 20 s.
  bool WaitForEnd() { return connection_.WaitForEnd(); }

 private:
  const std::string backend_;
  RawTcp connection_;
};

}  // namespace cluster

#endif  // TESTS_HOSTILE_STRANGER_H_
