// A stranger forges frames, one by one. The server counts each under the right
// reason only, and none harms a server of the cluster.

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "cluster/codec/hello.h"
#include "gtest/gtest.h"
#include "tests/harness/transports.h"
#include "tests/hostile/besieged_cluster.h"
#include "tests/hostile/forgery.h"
#include "tests/hostile/stranger.h"

namespace cluster::internal {
namespace {

// The stranger talks to server 1, and claims to be 2 unless a test says
// otherwise.
constexpr int kVictim = 1;
constexpr int kClaimed = 2;

// The counter that a refusal belongs to.
enum class Account { kNobody, kServer, kPeer };

struct Forgery {
  const char* name;
  std::string frame;
  Account account;
  RefusalReason reason;  // if it is counted
};

// Frames from the true server 2 to server 1.
struct Captured {
  std::string hello;
  std::string data;
};

Captured Capture(WireTap* tap) {
  Captured captured;
  for (const std::string& frame : tap->Sent(kClaimed, kVictim)) {
    const FrameKind kind = HeaderOf(frame).kind;
    if (kind == FrameKind::kHello) captured.hello = frame;
    if (kind == FrameKind::kData) captured.data = frame;
  }
  EXPECT_FALSE(captured.hello.empty());
  EXPECT_FALSE(captured.data.empty());
  return captured;
}

std::string WithByte(std::string frame, std::size_t at, char byte) {
  frame.replace(at, 1, 1, byte);
  return frame;
}

std::string HelloOf(const Captured& captured,
                    const std::function<void(Hello*)>& change) {
  Hello hello;
  EXPECT_TRUE(DecodeHello(BodyOf(captured.hello), &hello));
  change(&hello);
  return MakeFrame(HeaderOf(captured.hello), EncodeHello(hello));
}

// Frames that do not follow the protocol.
std::vector<Forgery> Malformed(const Captured& captured) {
  const std::string& data = captured.data;
  const std::string header = data.substr(0, kFrameHeaderBytes);
  std::string body = BodyOf(data);
  body.back() = static_cast<char>(body.back() ^ 1);
  std::vector<Forgery> forgeries;
  const auto add = [&](const char* name, std::string frame) {
    forgeries.push_back(
        {name, std::move(frame), Account::kServer, RefusalReason::kMalformed});
  };
  add("one byte", "x");
  add("text", "GET / HTTP/1.1\r\nHost: somewhere\r\n\r\n");
  add("zeros", std::string(1000, '\0'));
  add("a header cut short", header.substr(0, kFrameHeaderBytes - 1));
  add("a body cut short", data.substr(0, data.size() - 1));
  add("a header alone", header);
  add("one byte too many", data + "x");
  add("a claim of 4 GiB",
      Restamped(WithByte(WithByte(data, 18, '\xff'), 19, '\xff')));
  add("another magic", Restamped(WithByte(data, 0, 'X')));
  add("an unknown kind", Restamped(WithByte(data, 5, 9)));
  add("an unknown flag", Restamped(WithByte(data, 6, '\x80')));
  add("a wrong header checksum", WithByte(data, 8, data[8] ^ 1));
  add("a wrong body checksum", header + body);
  return forgeries;
}

// Frames of versions that the server does not speak.
std::vector<Forgery> OtherVersions(const Captured& captured) {
  std::vector<Forgery> forgeries;
  const auto add = [&](const char* name, std::string frame) {
    forgeries.push_back(
        {name, std::move(frame), Account::kPeer, RefusalReason::kVersion});
  };
  add("a hello of version 1", Restamped(WithByte(captured.hello, 4, 1)));
  add("data of version 1", Restamped(WithByte(captured.data, 4, 1)));
  add("data of version 3", Restamped(WithByte(captured.data, 4, 3)));
  add("a hello of versions to come", HelloOf(captured, [](Hello* hello) {
        hello->versions = {3, 9};
      }));
  return forgeries;
}

// Good frames of a sender that the server does not know.
std::vector<Forgery> UnknownSenders(const Captured& captured) {
  const auto from = [&](std::uint32_t id) {
    return Forged(captured.data,
                  [id](FrameHeader* header) { header->sender_id = id; });
  };
  return {
      {"of nobody", from(77), Account::kServer, RefusalReason::kUnknownSender},
      {"of the server itself", from(kVictim), Account::kServer,
       RefusalReason::kUnknownSender},
      {"of the greatest id", from(kServerIdMax), Account::kServer,
       RefusalReason::kUnknownSender}};
}

std::string OtherSession(const Captured& captured,
                         const std::function<void(FrameHeader*)>& change) {
  return Forged(captured.data, [&](FrameHeader* header) {
    header->session ^= 1;
    change(header);
  });
}

std::string Bare(const Captured& captured, FrameKind kind,
                 std::uint64_t received_through) {
  FrameHeader header = HeaderOf(captured.data);
  FrameHeader bare;
  bare.kind = kind;
  bare.sender_id = header.sender_id;
  bare.destination_id = header.destination_id;
  bare.session = header.session ^ 1;
  bare.received_through = received_through;
  return MakeFrame(bare, "");
}

// Good frames in the name of server 2, in a session that does not exist.
std::vector<Forgery> OtherSessions(const Captured& captured) {
  std::vector<Forgery> forgeries;
  const auto add = [&](const char* name, std::string frame) {
    forgeries.push_back({name, std::move(frame), Account::kPeer,
                         RefusalReason::kUnknownSession});
  };
  const std::uint64_t next = HeaderOf(captured.data).sequence + 1;
  add("data", OtherSession(captured, [&](FrameHeader* header) {
        header->sequence = next;
      }));
  add("data far ahead", OtherSession(captured, [](FrameHeader* header) {
        header->sequence = 1u << 30;
      }));
  add("an acknowledgement", Bare(captured, FrameKind::kControl, 1));
  add("an acknowledgement of the future",
      Bare(captured, FrameKind::kControl, 1u << 30));
  add("a goodbye", Bare(captured, FrameKind::kGoodbye, 0));
  return forgeries;
}

FrameHeader Lasting(const Captured& captured, FrameKind kind) {
  FrameHeader header = HeaderOf(captured.hello);
  header.kind = kind;
  return header;
}

// An entry of an unknown type.
const std::string kUnknown("\xff\xff\1\0x", 5);

std::vector<Forgery> Hellos(const Captured& captured) {
  return {
      {"a replayed hello", captured.hello, Account::kNobody, {}},
      {"a hello of another life",
       HelloOf(captured, [](Hello* hello) { ++hello->incarnation; }),
       Account::kNobody,
       {}},
      {"a hello for another session, with an old echo",
       HelloOf(captured, [](Hello* hello) { hello->epoch ^= 1; }),
       Account::kNobody,
       {}},
      {"a hello that guesses the echo",
       HelloOf(captured, [](Hello* hello) { ++hello->echo_nonce; }),
       Account::kNobody,
       {}},
      {"a hello of another cluster",
       HelloOf(captured, [](Hello* hello) { hello->cluster = "another"; }),
       Account::kPeer, RefusalReason::kWrongCluster},
      {"a hello with entries of a later version",
       MakeFrame(HeaderOf(captured.hello), BodyOf(captured.hello) + kUnknown),
       Account::kNobody,
       {}},
      {"a hello with an entry twice",
       MakeFrame(HeaderOf(captured.hello),
                 BodyOf(captured.hello) + BodyOf(captured.hello)),
       Account::kPeer, RefusalReason::kMalformed},
      {"a refusal of no hello",
       MakeFrame(Lasting(captured, FrameKind::kRefusal),
                 EncodeRefusal({RefusalCode::kWrongCluster, "go away", 1, {}})),
       Account::kPeer, RefusalReason::kUnknownSession},
      {"a hello cut short",
       MakeFrame(HeaderOf(captured.hello), BodyOf(captured.hello).substr(1)),
       Account::kPeer, RefusalReason::kMalformed}};
}

// The captured frames, and forgeries in the session itself that do not harm it.
std::vector<Forgery> Replays(const Captured& captured) {
  return {{"replayed data", captured.data, Account::kPeer,
           RefusalReason::kDuplicate},
          {"data behind a gap",
           Forged(captured.data,
                  [](FrameHeader* header) { header->sequence += 1000; }),
           Account::kPeer, RefusalReason::kGap},
          {"data for another server",
           Forged(captured.data,
                  [](FrameHeader* header) { header->destination_id = 3; }),
           Account::kPeer, RefusalReason::kWrongDestination}};
}

using Refused = std::array<std::uint64_t, kRefusalReasons>;

class ForgedFramesTest : public testing::TestWithParam<const char*> {
 protected:
  void Try(const std::vector<Forgery>& forgeries) {
    for (const Forgery& forgery : forgeries) {
      SCOPED_TRACE(forgery.name);
      TryOne(forgery);
    }
    besieged_.Exchange(20);
    besieged_.ExpectUnharmed();
  }

  void TryOne(const Forgery& forgery) {
    WireTap& tap = besieged_.tap();
    const ServerStats before = besieged_.cluster().Stats(kVictim);
    tap.Watch(kVictim, forgery.frame);
    Stranger stranger(GetParam(), besieged_.cluster().address(kVictim));
    stranger.Say(forgery.frame);
    ASSERT_TRUE(tap.WaitUntilHandled(kVictim, forgery.frame));
    const ServerStats after = besieged_.cluster().Stats(kVictim);

    Refused by_server = before.refused;
    Refused by_peer = before.Peer(kClaimed)->refused;
    if (forgery.account == Account::kServer)
      ++by_server[static_cast<std::size_t>(forgery.reason)];
    if (forgery.account == Account::kPeer)
      ++by_peer[static_cast<std::size_t>(forgery.reason)];
    EXPECT_EQ(after.refused, by_server);
    EXPECT_EQ(after.Peer(kClaimed)->refused, by_peer);
    EXPECT_EQ(after.Peer(3)->refused, before.Peer(3)->refused);
    EXPECT_EQ(after.delivered, before.delivered);
    EXPECT_EQ(after.inbox_bytes, 0u);

    // ZeroMQ cannot close the connection of one message.
    const bool is_closed = std::string(GetParam()) != "zmq";
    if (is_closed && forgery.account == Account::kServer &&
        forgery.reason == RefusalReason::kMalformed) {
      EXPECT_TRUE(stranger.WaitForEnd());
    }
  }

  // The refusals that the victim has sent so far.
  int RefusalsTo(int peer) {
    int count = 0;
    for (const std::string& frame : besieged_.tap().Sent(kVictim, peer))
      count += HeaderOf(frame).kind == FrameKind::kRefusal;
    return count;
  }

  BesiegedCluster besieged_{GetParam()};
  const Captured captured_ = Capture(&besieged_.tap());
};

TEST_P(ForgedFramesTest, WhatIsNoFrameIsCountedAsMalformed) {
  Try(Malformed(captured_));
}

TEST_P(ForgedFramesTest, OtherVersionsAreRefusedAndChangeNothing) {
  Try(OtherVersions(captured_));
  // The victim sends refusals to the true server 2 only.
  EXPECT_GE(RefusalsTo(kClaimed), 1);
  EXPECT_EQ(RefusalsTo(3), 0);
}

TEST_P(ForgedFramesTest, UnknownSendersAreCountedAsThat) {
  Try(UnknownSenders(captured_));
}

TEST_P(ForgedFramesTest, AnotherSessionCostsTheTrueOneNothing) {
  Try(OtherSessions(captured_));
}

TEST_P(ForgedFramesTest, HellosThatProveNothingChangeNothing) {
  Try(Hellos(captured_));
}

TEST_P(ForgedFramesTest, ReplaysAndGapsAreCountedAndChangeNothing) {
  Try(Replays(captured_));
}

INSTANTIATE_TEST_SUITE_P(Backends, ForgedFramesTest,
                         testing::ValuesIn(SocketTransports()), TransportName);

}  // namespace
}  // namespace cluster::internal
