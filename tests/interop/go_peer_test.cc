// Servers of the Go library, which one of ours joins with their config file.
//
// A GoPeer has the sockets of a Go server, and says and hears the texts that its
// encoding/json writes and reads.

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "cluster/server.h"
#include "gtest/gtest.h"
#include "zmq.hpp"

namespace cluster::internal {
namespace {

constexpr int kMilliseconds = 30'000;  // for anything
constexpr absl::Duration kTime = absl::Milliseconds(kMilliseconds);

class GoPeer {
 public:
  explicit GoPeer(zmq::context_t* context)
      : pull_(*context, zmq::socket_type::pull),
        push_(*context, zmq::socket_type::push) {
    pull_.set(zmq::sockopt::rcvtimeo, kMilliseconds);
    pull_.set(zmq::sockopt::linger, 0);
    push_.set(zmq::sockopt::sndtimeo, kMilliseconds);
    push_.set(zmq::sockopt::linger, 0);
    pull_.bind("tcp://127.0.0.1:*");
  }

  std::string Port() const {
    const std::string endpoint = pull_.get(zmq::sockopt::last_endpoint);
    return endpoint.substr(endpoint.rfind(':') + 1);
  }
  void Dial(const std::string& address) {
    push_.connect(absl::StrCat("tcp://", address));
  }

  void Say(const std::string& text) {
    EXPECT_TRUE(push_.send(zmq::buffer(text), zmq::send_flags::none));
  }

  // The next text, without the id, which is a number.
  std::string Hear() {
    zmq::message_t message;
    if (!pull_.recv(message)) return "nothing in time";
    EXPECT_FALSE(message.more());
    const std::string text = message.to_string();
    absl::string_view rest = text;
    EXPECT_TRUE(absl::ConsumePrefix(&rest, R"({"MsgId":)")) << text;
    std::int64_t id = 0;
    EXPECT_TRUE(absl::SimpleAtoi(rest.substr(0, rest.find(',')), &id)) << text;
    EXPECT_GT(id, 0) << text;
    return absl::StrCat("{", rest.substr(rest.find(',') + 1));
  }

 private:
  zmq::socket_t pull_;
  zmq::socket_t push_;
};

// Server 1 is ours; 2 and 3 are Go's.
class GoPeerTest : public testing::Test {
 protected:
  void Start(const std::string& more_keys = "") {
    const absl::StatusOr<Config> config = ParseConfig(absl::StrCat(
        R"({"Server": [{"Server_Id": 1, "Port_Num": 0},
                       {"Server_Id": 2, "Port_Num": )",
        two_.Port(), R"(}, {"Server_Id": 3, "Port_Num": )", three_.Port(), "}]",
        more_keys, "}"));
    ASSERT_TRUE(config.ok()) << config.status();
    auto server = NewServer(1, *config);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    const absl::Status started = server_->Start();
    ASSERT_TRUE(started.ok()) << started;
    two_.Dial(server_->Address());
    three_.Dial(server_->Address());
  }

  Envelope Received() {
    absl::StatusOr<Envelope> envelope = server_->Receive(kTime);
    EXPECT_TRUE(envelope.ok()) << envelope.status();
    return envelope.ok() ? *std::move(envelope) : Envelope();
  }

  absl::Status Send(int pid, const std::string& payload) {
    Envelope envelope;
    envelope.pid = pid;
    envelope.msg_type = MsgType::kRequestVoteRequest;
    envelope.term = 7;
    envelope.voted = true;
    envelope.payload = payload;
    return server_->Send(envelope);
  }

  static std::string Text(int pid, const std::string& msg) {
    return absl::StrCat("{\"Pid\":", pid,
                        R"(,"MsgType":2,"SenderId":1,"Term":7,"Voted":true,)",
                        "\"Msg\":", msg, "}");
  }

  zmq::context_t context_;
  GoPeer two_{&context_};
  GoPeer three_{&context_};
  std::unique_ptr<Server> server_;
};

TEST_F(GoPeerTest, AGoServersEnvelopesArrive) {
  Start();
  two_.Say(R"({"Pid":1,"MsgId":9223372036854775807,"MsgType":1,"SenderId":2,)"
           R"("Term":9007199254740993,"Voted":true,)"
           R"("Msg":"a\u003cb\u003e \u0026 \"c\"\u2028"})");
  const Envelope first = Received();
  EXPECT_EQ(first.pid, 1);
  EXPECT_EQ(first.message_id, (MessageId{0, 9223372036854775807u}));
  EXPECT_EQ(first.msg_type, MsgType::kAppendEntriesResponse);
  EXPECT_EQ(first.sender_id, 2);
  EXPECT_EQ(first.term, 9007199254740993u);
  EXPECT_TRUE(first.voted);
  EXPECT_EQ(first.payload, "a<b> & \"c\"\xe2\x80\xa8");

  const std::string append =
      R"({"PrevLogIndex":3,"PrevLogTerm":1e+21,"Entries":[{"Term":1,)"
      R"("Command":"x\u003c}"}],"LeaderCommit":9007199254740993})";
  for (const auto& [msg, payload] :
       std::vector<std::pair<std::string, std::string>>{
           {"null", ""}, {append, append}, {"[1,2]", "[1,2]"}, {"42", "42"}}) {
    three_.Say(absl::StrCat(R"({"Pid":-1,"MsgId":5,"MsgType":0,"SenderId":3,)",
                            R"("Term":0,"Voted":false,"Msg":)", msg, "}"));
    const Envelope envelope = Received();
    EXPECT_EQ(envelope.sender_id, 3);
    EXPECT_EQ(envelope.pid, kBroadcast);
    EXPECT_EQ(envelope.payload, payload);
  }
}

TEST_F(GoPeerTest, EnvelopesReachGoServers) {
  Start();
  ASSERT_TRUE(Send(2, "to <two>").ok());
  ASSERT_TRUE(Send(kBroadcast, R"({"Success":true})").ok());
  ASSERT_TRUE(Send(3, "").ok());
  EXPECT_EQ(two_.Hear(), Text(2, R"("to <two>")"));
  EXPECT_EQ(two_.Hear(), Text(-1, R"({"Success":true})"));
  EXPECT_EQ(three_.Hear(), Text(-1, R"({"Success":true})"));
  EXPECT_EQ(three_.Hear(), Text(3, R"("")"));
}

TEST_F(GoPeerTest, WhatArrivedGoesBackAsItCame) {
  Start();
  for (const std::string msg :
       {R"("text")", R"({"PrevLogIndex":3,"Entries":["x\u003c"]})", "[]",
        R"("\"{\"")"}) {
    two_.Say(absl::StrCat(R"({"Pid":1,"SenderId":2,"Msg":)", msg, "}"));
    const Envelope envelope = Received();
    ASSERT_TRUE(Send(envelope.sender_id, envelope.payload).ok());
    EXPECT_EQ(two_.Hear(), Text(2, msg));
  }
}

// The Go library's SendMessage leaves SenderId 0.
TEST_F(GoPeerTest, ASenderThatNamesNobodyIsServer0) {
  Start();
  two_.Say(R"({"Pid":1,"MsgId":5,"SenderId":0,"Msg":"hello"})");
  const Envelope envelope = Received();
  EXPECT_EQ(envelope.sender_id, 0);
  EXPECT_EQ(envelope.payload, "hello");
  // An envelope for another server is not delivered, and counted.
  two_.Say(R"({"Pid":3,"SenderId":0,"Msg":"not for 1"})");
  two_.Say(R"({"Pid":1,"SenderId":9,"Msg":"of nobody"})");
  two_.Say(R"({"Pid":-1,"SenderId":0,"Msg":"last"})");
  EXPECT_EQ(Received().payload, "last");
  const ServerStats stats = server_->Stats();
  const auto refused = [&](RefusalReason reason) {
    return stats.refused[static_cast<std::size_t>(reason)];
  };
  EXPECT_EQ(refused(RefusalReason::kWrongDestination), 1u);
  EXPECT_EQ(refused(RefusalReason::kUnknownSender), 1u);
}

// Elsewhere 0 is a server like any other.
TEST_F(GoPeerTest, OtherDialectsHaveNoSenderThatNamesNobody) {
  Start(R"(, "json_dialect": "cluster")");
  two_.Say(R"({"Pid":1,"SenderId":0,"Msg":"of nobody"})");
  two_.Say(R"({"Pid":1,"SenderId":2,"Msg":null})");
  two_.Say(R"({"Pid":1,"SenderId":2,"Msg":"hello"})");
  EXPECT_EQ(Received().payload, "hello");
  const ServerStats stats = server_->Stats();
  EXPECT_EQ(
      stats.refused[static_cast<std::size_t>(RefusalReason::kUnknownSender)],
      1u);
  EXPECT_EQ(stats.refused[static_cast<std::size_t>(RefusalReason::kMalformed)],
            1u);
  ASSERT_TRUE(Send(2, "hello").ok());
}

}  // namespace
}  // namespace cluster::internal
