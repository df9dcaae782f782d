#include "transport/zmq/inbound_socket.h"

#include <unistd.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "gtest/gtest.h"
#include "transport/zmq/endpoint.h"
#include "transport/zmq/socket_path.h"

namespace cluster {
namespace zmq_backend {
namespace {

class InboundSocketTest : public testing::Test {
 protected:
  InboundSocketTest() : settings_(*ReadSettings(TransportConfig())) {}

  std::unique_ptr<InboundSocket> Open(const std::string& address) {
    auto opened =
        InboundSocket::Open(&context_, settings_, nullptr, Parse(address));
    EXPECT_TRUE(opened.ok()) << opened.status();
    return *std::move(opened);
  }

  static Address Parse(const std::string& text) { return *ParseAddress(text); }

  const ZmqSettings settings_;
  zmq::context_t context_;
};

// As of a process that is started anew while the last one is still stopping. It
// has to come in the moment after the listener was closed, so it comes often.
TEST_F(InboundSocketTest, WhoWaitsForThePathOfOneThatClosesKeepsIt) {
  constexpr int kRounds = 20;
  for (int round = 0; round < kRounds; ++round) {
    const SocketPath path;
    std::unique_ptr<InboundSocket> closing = Open(path.Address());
    zmq::socket_t successor(context_, zmq::socket_type::pull);
    std::thread waiting([&] {
      while (!Bind(Parse(path.Address()), &successor).ok()) {
      }
    });
    closing.reset();
    waiting.join();
    ASSERT_EQ(access(path.text().c_str(), F_OK), 0) << "in round " << round;
  }
}

}  // namespace
}  // namespace zmq_backend
}  // namespace cluster
