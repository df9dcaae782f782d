#include "transport/zmq/link_monitor.h"

#include <poll.h>

#include <string>

#include "gtest/gtest.h"
#include "transport/zmq/raw_tcp.h"

namespace cluster {
namespace zmq_backend {
namespace {

using Kind = LinkEvent::Kind;

class LinkMonitorTest : public testing::Test {
 protected:
  LinkMonitorTest()
      : push_(context_, zmq::socket_type::push),
        monitor_(&context_, &push_, LinkMonitor::Scope::kDialled) {
    push_.set(zmq::sockopt::linger, 0);
    push_.set(zmq::sockopt::reconnect_ivl, 1);
  }

  // The next event, waited for by the descriptor as the receive loop does.
  bool Next(LinkEvent* event) {
    while (!monitor_.Next(event)) {
      pollfd ready{monitor_.fd(), POLLIN, 0};
      if (poll(&ready, 1, 30000) != 1) return false;
    }
    return true;
  }

  zmq::context_t context_;
  zmq::socket_t push_;
  LinkMonitor monitor_;
};

TEST_F(LinkMonitorTest, TellsOfAConnectionAndItsLoss) {
  zmq::socket_t pull(context_, zmq::socket_type::pull);
  pull.bind("tcp://127.0.0.1:*");
  push_.connect(pull.get(zmq::sockopt::last_endpoint));
  LinkEvent event;
  ASSERT_TRUE(Next(&event));
  EXPECT_EQ(event.kind, Kind::kUp);
  pull.close();
  ASSERT_TRUE(Next(&event));
  EXPECT_EQ(event.kind, Kind::kLost);
  ASSERT_TRUE(Next(&event));
  EXPECT_EQ(event.kind, Kind::kRetry);
  EXPECT_NE(event.reason, "");
}

// A plain monitor holds some 2,000 events; the I/O thread then waits for its
// reader, and every socket of the context with it.
TEST_F(LinkMonitorTest, AnUnreadMonitorStopsNothing) {
  constexpr int kTimes = 1200;
  RawTcp listener = RawTcp::Listen("127.0.0.1:0");
  push_.connect("tcp://" + listener.Address());
  for (int i = 0; i < kTimes; ++i) listener.Accept().Reset();

  zmq::socket_t pull(context_, zmq::socket_type::pull);
  zmq::socket_t other(context_, zmq::socket_type::push);
  pull.set(zmq::sockopt::rcvtimeo, 30000);
  pull.bind("tcp://127.0.0.1:*");
  other.connect(pull.get(zmq::sockopt::last_endpoint));
  other.send(zmq::str_buffer("alive"), zmq::send_flags::none);
  zmq::message_t message;
  EXPECT_TRUE(pull.recv(message).has_value());

  // Each of the connections came to an end, and that is followed by a retry.
  int retries = 0;
  LinkEvent event;
  while (retries < kTimes) {
    ASSERT_TRUE(Next(&event));
    EXPECT_NE(event.kind, Kind::kUp);
    if (event.kind == Kind::kRetry) ++retries;
  }
}

}  // namespace
}  // namespace zmq_backend
}  // namespace cluster
