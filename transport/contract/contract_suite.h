// The contract suite: tests of everything that transport/transport.h promises,
// for any backend.
//
// They are value-parameterised GoogleTests on the fixture TransportContract. A
// backend supplies its factory and a way to make addresses. Add
// //transport/contract:contract_suite to a cc_test and instantiate:
//
//   INSTANTIATE_TEST_SUITE_P(
//       Zmq, TransportContract,
//       testing::Values(
//           TransportUnderTest{"ipv4", NewZmqTransport, FreshIpv4Address},
//           TransportUnderTest{"ipv6", NewZmqTransport, FreshIpv6Address},
//           TransportUnderTest{"ipc", NewZmqTransport, FreshIpcAddress}),
//       TransportUnderTest::Name);
//
// To set options, wrap the factory in a lambda. Other tests cover speed,
// security and features of a single backend.
//
// No address is fixed, so several processes may run the suite at once. No test
// relies on time, except for deadlines of 30 s that a working transport never
// meets.

#ifndef CLUSTER_TRANSPORT_CONTRACT_CONTRACT_SUITE_H_
#define CLUSTER_TRANSPORT_CONTRACT_CONTRACT_SUITE_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cluster/transport/contract/recording_handler.h"
#include "cluster/transport/transport.h"
#include "gtest/gtest.h"

namespace cluster {

// Unused addresses to bind: a random one of 127/8 with port 0, "[::1]:0", and a
// short path that does not exist yet.
std::string FreshIpv4Address();
std::string FreshIpv6Address();
std::string FreshIpcAddress();

struct TransportUnderTest {
  std::string name;  // letters, digits and underscores
  TransportFactory factory;
  std::function<std::string()> fresh_address;
  // Start and Connect must refuse these as kInvalidArgument.
  std::vector<std::string> bad_addresses = {
      "",       "127.0.0.1",     "127.0.0.1:99999", "carrier-pigeon://x",
      "::1:80", "ipc://relative"};
  // With a peer that never answers, Send returns kBackPressured after at most
  // this many bytes, in frames of 64 KiB.
  std::size_t queue_bytes_bound = 128u << 20;
  // OnConnected of a peer that was dialled anew may come while the
  // OnDisconnected of its last connection is still running.
  bool callbacks_overlap = false;

  static std::string Name(
      const testing::TestParamInfo<TransportUnderTest>& info) {
    return info.param.name;
  }
  friend void PrintTo(const TransportUnderTest& transport, std::ostream* out) {
    *out << transport.name;
  }
};

// The limit of the transports under test, unless a test sets another one.
inline constexpr std::size_t kContractFrameBytesMax = 1u << 20;

// A transport and its handler.
struct Node {
  RecordingHandler handler;
  std::unique_ptr<Transport> transport;  // destroyed first

  ~Node() { transport.reset(); }

  // For tests that ignore the generation.
  absl::Status Connect(int peer, const std::string& address) {
    return transport->Connect(peer, address, /*generation=*/1);
  }
  SendResult Send(int peer, std::string text) {
    return transport->Send(peer, Frame{{MakeSlice(std::move(text))}});
  }
  // Sends, and waits for OnWritable after kBackPressured. False: it did not
  // come.
  bool SendWaiting(int peer, const Frame& frame);
  bool SendWaiting(int peer, std::string text) {
    return SendWaiting(peer, Frame{{MakeSlice(std::move(text))}});
  }
  // Sends frames of this size until the answer is kBackPressured, at most
  // `frames_max`. Returns how many the transport took.
  std::size_t Fill(int peer, std::size_t frame_bytes, std::size_t frames_max);
};

class TransportContract : public testing::TestWithParam<TransportUnderTest> {
 protected:
  // Makes a node and does not start it.
  std::unique_ptr<Node> NewNode(
      int id, std::size_t frame_bytes_max = kContractFrameBytesMax);
  // Makes a node that listens on a fresh address. If it cannot, it returns null
  // and the test fails.
  std::unique_ptr<Node> StartNode(
      int id, std::size_t frame_bytes_max = kContractFrameBytesMax);

  // An address that was bound a moment ago and is free now.
  std::string DeadAddress();

  // Sends frames that begin with `text` until one arrives. For a connection
  // that breaks at an unknown moment and loses frames.
  bool SendUntilOneArrives(Node& from, int peer, Node& to,
                           const std::string& text);
};

}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_CONTRACT_CONTRACT_SUITE_H_
