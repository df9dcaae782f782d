// Transports of the backend under test with their handlers.
//
// Not thread-safe. An error fails the test.
//
//   const stream::TestKeys keys({1, 2});
//   auto one = StartSecured(keys.ConfigOf(1));
//   auto two = StartSecured(keys.ConfigOf(2));
//   ConnectBoth(*one, 1, *two, 2);

#ifndef TESTS_STREAMS_SECURED_NODES_H_
#define TESTS_STREAMS_SECURED_NODES_H_

#include <memory>
#include <string>
#include <utility>

#include "cluster/transport/contract/recording_handler.h"
#include "cluster/transport/stream/testing/test_keys.h"
#include "cluster/transport/transport.h"

namespace cluster::internal {
namespace streams {

// A transport and its handler.
struct TestNode {
  RecordingHandler handler;
  std::unique_ptr<Transport> transport;  // goes first

  ~TestNode() { transport.reset(); }

  absl::Status Connect(int peer, const std::string& address) {
    return transport->Connect(peer, address, /*generation=*/1);
  }
  SendResult Send(int peer, std::string text) {
    return transport->Send(peer, Frame{{MakeSlice(std::move(text))}});
  }
};

// Starts a node that listens on `address`. Null, and a failed test, if it
// cannot.
std::unique_ptr<TestNode> StartSecured(
    const TransportConfig& config, const std::string& address = "127.0.0.1:0");

void ConnectBoth(TestNode& one, int one_id, TestNode& two, int two_id);

// Sends `text` and waits for it. False: it did not arrive.
bool Delivers(TestNode& from, int peer, TestNode& to, const std::string& text);

}  // namespace streams
}  // namespace cluster::internal

#endif  // TESTS_STREAMS_SECURED_NODES_H_
