// WireTap: shows the frames that pass the transports of servers, for tests that
// forge them.
//
// A decorator of transports that keeps copies of sent frames. It also knows
// when a server has handled a frame, so a test can read counters without
// waiting blindly. It changes no frame. Thread-safe; the factory and its
// transports share its state, so it may be destroyed first.
//
//   WireTap tap;
//   auto server = NewServer(1, config, tap.Around(*FindTransport("zmq")));
//   const std::string frame = tap.Sent(2, 1).back();
//   tap.Watch(1, frame);
//   stranger.Say(frame);
//   EXPECT_TRUE(tap.WaitUntilHandled(1, frame));

#ifndef TESTS_HOSTILE_WIRE_TAP_H_
#define TESTS_HOSTILE_WIRE_TAP_H_

#include <memory>
#include <string>
#include <vector>

#include "cluster/transport/transport.h"

namespace cluster::internal {

class WireTap {
 public:
  WireTap();

  // A factory whose transports are `inner`'s.
  TransportFactory Around(TransportFactory inner) const;

  // The first frames that `from` sent to `to`, oldest first.
  std::vector<std::string> Sent(int from, int to) const;
  // Waits for at most 30 s until there are `count` of them.
  bool WaitUntilSent(int from, int to, std::size_t count) const;

  // From now on counts how often `server` has handled exactly this frame.
  void Watch(int server, const std::string& frame);
  // Waits for at most 30 s until it has handled the frame `times` times since
  // Watch.
  bool WaitUntilHandled(int server, const std::string& frame, int times = 1);

  class State;  // shared with the transports

 private:
  std::shared_ptr<State> state_;
};

}  // namespace cluster::internal

#endif  // TESTS_HOSTILE_WIRE_TAP_H_
