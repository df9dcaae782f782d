// Stranger: a client that speaks a backend's own wire, byte by byte, without
// its library.
//
// It has a TCP connection to a server, and knows the few bytes that peers send
// before and around frames. These are ZMTP 3.0 with the NULL mechanism for zmq
// (rfc.zeromq.org/spec/23), transport/stream/preamble.h for nng. So it can send
// any bytes, and stop after any of them. One thread.
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

namespace cluster::internal {

// The first bytes of a peer of that backend.
std::string Greeting(const std::string& backend);
// The bytes of a frame on that backend's connections. The third argument
// replaces its length.
std::string Framed(const std::string& backend, absl::string_view frame);
std::string Framed(const std::string& backend, absl::string_view frame,
                   std::uint64_t claimed_bytes);

class Stranger {
 public:
  // Dials and sends the greeting.
  Stranger(const std::string& backend, const std::string& address);

  void Say(absl::string_view frame);
  void SayBytes(const std::string& bytes);
  // Sends FIN: no more bytes will come.
  void Finish() { connection_.FinishWriting(); }
  // Whether the server closes within 20 s.
  bool WaitForEnd() { return connection_.WaitForEnd(); }

 private:
  const std::string backend_;
  RawTcp connection_;
};

}  // namespace cluster::internal

#endif  // TESTS_HOSTILE_STRANGER_H_
