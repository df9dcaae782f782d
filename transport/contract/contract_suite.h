// The contract suite: tests of everything that transport/transport.h promises,
// for any backend.
//
// They are value-parameterised GoogleTests on the fixture TransportContract. A
// backend supplies its factory and a way to make addresses. Session
// //transport/contract:contract_suite into a cc_test and instantiate:
//
//   INSTANTIATE_TEST_SUITE_P(
//       Zmq, TransportContract,
//       testing::Values(
//           TransportUnderTest{"ipv4", NewZmqTransport, FreshIpv4Address},
//           TransportUnderTest{"ipv6", NewZmqTransport, FreshIpv6Address},
//           TransportUnderTest{"ipc", NewZmqTransport, FreshIpcAddress}),
//       TransportUnderTest::Name);
//
// To set options, wrap the factory in a lambda. Speed, security and what only
// one backend has are tested elsewhere.
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

// Addresses to bind that nobody else has: a random one of 127/8 with port 0,
// "[::1]:0", and a short path that does not exist yet.
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
  // A peer that never answers makes Send say kBackPressured after at most so
  // many bytes, in frames of 64 KiB.
  std::size_t queue_bytes_bound = 128u << 20;
  // OnConnected of a peer that was dialled anew may come while an
  // OnDisconnected of before is still running.
  bool callbacks_overlap = false;

  static std::string Name(
      const testing::TestParamInfo<TransportUnderTest>& info) {
    return info.param.name;
  }
  friend void PrintTo(const TransportUnderTest& transport, std::ostream* out) {
    *out << transport.name;
  }
};

// The limit of the transports under test, unless a test says otherwise. 1 MiB.
inline constexpr std::size_t kContractFrameBytesMax = 1u << 20;

// A transport and its handler.
struct Node {
  RecordingHandler handler;
  std::unique_ptr<Transport> transport;  // goes first

  ~Node() { transport.reset(); }

  // Where the generation is of no interest.
  absl::Status Connect(int peer, const std::string& address) {
    return transport->Connect(peer, address, /*generation=*/1);
  }
  SendResult Send(int peer, std::string text) {
    return transport->Send(peer, Frame{{MakeSlice(std::move(text))}});
  }
  // Sends, and waits for OnWritable where the transport asks for it. False: it
  // did not come.
  bool SendWaiting(int peer, const Frame& frame);
  bool SendWaiting(int peer, std::string text) {
    return SendWaiting(peer, Frame{{MakeSlice(std::move(text))}});
  }
  // Sends frames of a size until the answer is kBackPressured, and returns how
  // many went; at most `frames_max`.
  std::size_t Fill(int peer, std::size_t frame_bytes, std::size_t frames_max);
};

class TransportContract : public testing::TestWithParam<TransportUnderTest> {
 protected:
  // A node that is not started.
  std::unique_ptr<Node> NewNode(
      int id, std::size_t frame_bytes_max = kContractFrameBytesMax);
  // A node that listens on a fresh address. Null, and a failed test, if not.
  std::unique_ptr<Node> StartNode(
      int id, std::size_t frame_bytes_max = kContractFrameBytesMax);

  // An address that was bound a moment ago and is not any more.
  std::string DeadAddress();

  // Sends frames that begin with `text` until one arrives: for when a
  // connection breaks at a moment unknown and takes frames with it.
  bool SendUntilOneArrives(Node& from, int peer, Node& to,
                           const std::string& text);
};

}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_CONTRACT_CONTRACT_SUITE_H_
