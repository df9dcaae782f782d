#include "cluster/transport/zmq/connection_monitor.h"

#include <poll.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "cluster/transport/zmq/testing/raw_tcp.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace zmq_backend {
namespace {

class ConnectionMonitorTest : public testing::Test {
 protected:
  ConnectionMonitorTest()
      : push_(context_, zmq::socket_type::push),
        monitor_(&context_, &push_, kDialledEvents) {
    push_.set(zmq::sockopt::linger, 0);
    push_.set(zmq::sockopt::reconnect_ivl, 1);
  }

  // The next event, waited for by the descriptor as the event loop does.
  bool Next(SocketEvent* event) {
    while (!monitor_.Next(event)) {
      pollfd ready{monitor_.fd(), POLLIN, 0};
      if (poll(&ready, 1, 30000) != 1) return false;
    }
    return true;
  }

  zmq::context_t context_;
  zmq::socket_t push_;
  ConnectionMonitor monitor_;
};

TEST_F(ConnectionMonitorTest, TellsOfAConnectionAndItsLoss) {
  zmq::socket_t pull(context_, zmq::socket_type::pull);
  pull.bind("tcp://127.0.0.1:*");
  push_.connect(pull.get(zmq::sockopt::last_endpoint));
  SocketEvent event;
  ASSERT_TRUE(Next(&event));
  EXPECT_EQ(event.id, ZMQ_EVENT_CONNECTED);
  ASSERT_TRUE(Next(&event));
  EXPECT_EQ(event.id, ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
  pull.close();
  ASSERT_TRUE(Next(&event));
  EXPECT_EQ(event.id, ZMQ_EVENT_DISCONNECTED);
  ASSERT_TRUE(Next(&event));
  EXPECT_EQ(event.id, ZMQ_EVENT_CONNECT_RETRIED);
  EXPECT_NE(event.value, 0u);
}

// A plain monitor holds some 2,000 events; the I/O thread then waits for its
// reader, and every socket of the context with it.
TEST_F(ConnectionMonitorTest, AnUnreadMonitorStopsNothing) {
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
  SocketEvent event;
  while (retries < kTimes) {
    ASSERT_TRUE(Next(&event));
    EXPECT_NE(event.id, ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    if (event.id == ZMQ_EVENT_CONNECT_RETRIED) ++retries;
  }
}

// Connections to a PULL socket that never shake hands.
class AcceptedConnectionTest : public testing::Test {
 protected:
  void Listen(std::chrono::milliseconds handshake_timeout) {
    pull_.set(zmq::sockopt::linger, 0);
    pull_.set(zmq::sockopt::backlog, 500);
    pull_.set(zmq::sockopt::handshake_ivl,
              static_cast<int>(handshake_timeout.count()));
    monitor_ =
        std::make_unique<ConnectionMonitor>(&context_, &pull_, kAcceptedEvents);
    accepted_ = std::make_unique<AcceptedConnections>(handshake_timeout);
    pull_.bind("tcp://127.0.0.1:*");
    address_ = pull_.get(zmq::sockopt::last_endpoint).substr(6);
  }

  std::vector<RawTcp> Connect(int count) {
    std::vector<RawTcp> strangers;
    for (int i = 0; i < count; ++i)
      strangers.push_back(RawTcp::Connect(address_));
    return strangers;
  }

  // The number of silent ones among so many connections that end.
  int Silent(int ends) {
    int silent = 0;
    SocketEvent event;
    while (ends > 0) {
      while (!monitor_->Next(&event)) {
        pollfd ready{monitor_->fd(), POLLIN, 0};
        if (poll(&ready, 1, 30000) != 1) return -1;
      }
      if (event.id == ZMQ_EVENT_DISCONNECTED) --ends;
      const absl::optional<Rejection> rejection =
          accepted_->Note(event, AcceptedConnections::Clock::now());
      if (!rejection) continue;
      EXPECT_EQ(rejection->kind, RefusalReason::kSilent);
      ++silent;
    }
    return silent;
  }

  zmq::context_t context_;
  zmq::socket_t pull_{context_, zmq::socket_type::pull};
  std::unique_ptr<ConnectionMonitor> monitor_;
  std::unique_ptr<AcceptedConnections> accepted_;
  std::string address_;
};

TEST_F(AcceptedConnectionTest, WhoHangsUpIsNotCounted) {
  Listen(std::chrono::minutes(1));
  std::vector<RawTcp> strangers = Connect(20);
  for (RawTcp& stranger : strangers) stranger.Reset();
  EXPECT_EQ(Silent(20), 0);
}

TEST_F(AcceptedConnectionTest, WhoIsSilentIsCounted) {
  Listen(std::chrono::milliseconds(100));
  std::vector<RawTcp> strangers = Connect(20);
  for (RawTcp& stranger : strangers) EXPECT_TRUE(stranger.WaitForEnd());
  EXPECT_EQ(Silent(20), 20);
}

}  // namespace
}  // namespace zmq_backend
}  // namespace cluster::internal
