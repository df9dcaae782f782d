// A backend on byte streams against peers that are broken, hostile or slow.

#include <sys/resource.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cluster/transport/contract/recording_handler.h"
#include "cluster/transport/stream/preamble.h"
#include "cluster/transport/stream/testing/raw_stream.h"
#include "gtest/gtest.h"
#include "tests/streams/backend.h"

namespace cluster::internal {
namespace streams {
namespace {

using stream::kLengthBytes;
using stream::kPreambleBytes;
using stream::LoadLength;
using stream::RawListener;
using stream::RawStream;
using stream::StoreLength;

std::string Greeting() { return std::string(stream::Preamble()); }

std::string Wire(const std::string& text) {
  char length[kLengthBytes];
  StoreLength(static_cast<std::uint32_t>(text.size()), length);
  return std::string(length, kLengthBytes) + text;
}

class HostileTest : public testing::Test {
 protected:
  void Start(absl::Duration handshake_timeout = absl::Seconds(60)) {
    TransportConfig config;
    config.frame_bytes_max = 1 << 20;
    config.handshake_timeout = handshake_timeout;
    auto transport = NewBackend(config);
    ASSERT_TRUE(transport.ok()) << transport.status();
    transport_ = *std::move(transport);
    const absl::Status started = transport_->Start(&handler_, "127.0.0.1:0");
    ASSERT_TRUE(started.ok()) << started;
  }

  // A well-behaved stranger's frame arrives.
  void ExpectAlive() {
    RawStream good = RawStream::Dial(transport_->Address());
    ASSERT_TRUE(good.ok());
    const std::string text = absl::StrCat("good ", ++good_count_);
    ASSERT_TRUE(good.Write(Greeting() + Wire(text)));
    EXPECT_TRUE(
        handler_.WaitFor([&](const Recorded& r) { return r.HasFrame(text); }));
  }

  RecordingHandler handler_;
  int good_count_ = 0;
  std::unique_ptr<Transport> transport_;
};

TEST_F(HostileTest, PeersThatConnectFinishAndResetHarmNobody) {
  Start();
  for (int i = 0; i < 300; ++i) {
    RawStream stream = RawStream::Dial(transport_->Address());
    ASSERT_TRUE(stream.ok()) << i;
    stream.Finish();
    stream.Reset();
  }
  ExpectAlive();
}

TEST_F(HostileTest, PeersThatResetAmidAFrameHarmNobody) {
  Start();
  for (int i = 0; i < 100; ++i) {
    RawStream stream = RawStream::Dial(transport_->Address());
    ASSERT_TRUE(
        stream.Write((Greeting() + Wire("whole")).substr(0, 1 + i % 17)));
    stream.Reset();
  }
  ExpectAlive();
}

TEST_F(HostileTest, AStrangerIsRefusedByItsFirstBytes) {
  Start();
  for (const char* text : {"G", "GET / HTTP/1.1\r\n\r\n", "CLNX"}) {
    RawStream stream = RawStream::Dial(transport_->Address());
    ASSERT_TRUE(stream.Write(text));
    EXPECT_TRUE(stream.WaitForEnd()) << text;
  }
  ExpectAlive();
  EXPECT_EQ(handler_.Texts().size(), 1u);
}

TEST_F(HostileTest, AnOverlongLengthEndsTheConnectionAfterTheFramesBefore) {
  Start();
  RawStream stream = RawStream::Dial(transport_->Address());
  char length[kLengthBytes];
  StoreLength((1 << 20) + 1, length);
  ASSERT_TRUE(stream.Write(Greeting() + Wire("before") +
                           std::string(length, kLengthBytes)));
  EXPECT_TRUE(stream.WaitForEnd());
  EXPECT_TRUE(handler_.WaitForFrames(1));
  EXPECT_EQ(handler_.Texts()[0], "before");
  ExpectAlive();
}

TEST_F(HostileTest, AMalformedFrameEndsItsConnection) {
  handler_.on_frame = [](const ReceivedFrame& frame) {
    return frame.slice.bytes == "bad" ? FrameVerdict::kMalformed
                                      : FrameVerdict::kAccepted;
  };
  Start();
  RawStream stream = RawStream::Dial(transport_->Address());
  ASSERT_TRUE(stream.Write(Greeting() + Wire("bad") + Wire("after")));
  EXPECT_TRUE(stream.WaitForEnd());
  ExpectAlive();
  for (const std::string& text : handler_.Texts()) EXPECT_NE(text, "after");
}

TEST_F(HostileTest, FramesArriveHoweverTheyAreCut) {
  Start();
  const std::vector<std::string> texts = {"one", "", std::string(300, 'x'),
                                          "last"};
  std::string wire = Greeting();
  for (const std::string& text : texts) wire += Wire(text);

  RawStream at_once = RawStream::Dial(transport_->Address());
  ASSERT_TRUE(at_once.Write(wire));
  ASSERT_TRUE(handler_.WaitForFrames(texts.size()));
  EXPECT_EQ(handler_.Texts(), texts);

  handler_.ClearFrames();
  RawStream bytewise = RawStream::Dial(transport_->Address());
  for (char c : wire) ASSERT_TRUE(bytewise.Write(absl::string_view(&c, 1)));
  ASSERT_TRUE(handler_.WaitForFrames(2 * texts.size()));
  EXPECT_EQ(handler_.Texts(), texts);
}

TEST_F(HostileTest, OneFrameArrivesOverManyReads) {
  Start();
  const std::string text(1 << 20, 'y');
  RawStream stream = RawStream::Dial(transport_->Address());
  const std::string wire = Greeting() + Wire(text);
  for (std::size_t i = 0; i < wire.size(); i += 3001) {
    ASSERT_TRUE(stream.Write(absl::string_view(wire).substr(i, 3001)));
  }
  ASSERT_TRUE(handler_.WaitForFrames(1));
  EXPECT_TRUE(handler_.Texts()[0] == text);
}

TEST_F(HostileTest, WhoSaysNothingIsClosedAndWhoGreetedIsNot) {
  Start(absl::Milliseconds(50));
  RawStream honest = RawStream::Dial(transport_->Address());
  ASSERT_TRUE(honest.Write(Greeting()));
  RawStream silent = RawStream::Dial(transport_->Address());
  RawStream stammering = RawStream::Dial(transport_->Address());
  ASSERT_TRUE(stammering.Write(Greeting().substr(0, kPreambleBytes - 1)));
  EXPECT_TRUE(silent.WaitForEnd());
  EXPECT_TRUE(stammering.WaitForEnd());

  ASSERT_TRUE(honest.Write(Wire("still here")));
  EXPECT_TRUE(handler_.WaitForFrames(1));
}

TEST_F(HostileTest, AcceptingGoesOnAfterFilesHaveRunOut) {
  Start();
  ExpectAlive();
  std::vector<RawStream> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(RawStream::Unconnected());
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 3;  // every number is taken: accept fails
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  for (std::size_t i = 0; i < clients.size(); ++i) {
    EXPECT_TRUE(clients[i].DialWith(transport_->Address()));
    EXPECT_TRUE(clients[i].Write(Greeting() + Wire(absl::StrCat("c", i))));
  }
  EXPECT_FALSE(
      handler_.WaitFor(std::chrono::milliseconds(100),
                       [](const Recorded& r) { return r.frame_count > 1; }));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(handler_.WaitForFrames(1 + clients.size()));
  ExpectAlive();
}

TEST_F(HostileTest, APeerThatClosesIsNoticedAndDialledAgain) {
  Start();
  RawListener peer;
  ASSERT_TRUE(transport_->Connect(2, peer.address(), 1).ok());
  for (int i = 1; i <= 3; ++i) {
    RawStream stream = peer.Accept();
    std::string preamble;
    ASSERT_TRUE(stream.Read(kPreambleBytes, &preamble));
    EXPECT_EQ(preamble, Greeting());
    EXPECT_EQ(Recorded::Count(handler_.Get().connected, 2), i - 1);
    ASSERT_TRUE(stream.Write(Greeting()));
    ASSERT_TRUE(handler_.WaitForConnected(2, i));
    if (i == 2) {
      stream.Reset();
    } else {
      stream.Close();
    }
    ASSERT_TRUE(handler_.WaitForDisconnected(2, i));
    EXPECT_NE(handler_.Get().reason, "");
  }
}

// A listener of another protocol or version, or one that sends too much.
TEST_F(HostileTest, AListenerOfAnotherKindIsLeftAndItsKindIsTold) {
  Start();
  const std::pair<std::string, std::string> cases[] = {
      {"220 mail.example ESMTP\r\n", "does not speak this protocol"},
      {"x", "does not speak this protocol"},
      {std::string("CLNS\x01\0\0\0", 8), "version 1"},
      {std::string("CLNS\x07\3\0\0", 8), "speaks version 7"},
      {stream::AnswerText(stream::Answer::kWantsTls), "takes no plaintext"},
      {Greeting() + "x", "bytes behind its answer"},
  };
  RawListener peer;
  ASSERT_TRUE(transport_->Connect(2, peer.address(), 1).ok());
  for (const auto& [answer, text] : cases) {
    RawStream stream = peer.Accept();
    ASSERT_TRUE(stream.Write(answer));
    EXPECT_TRUE(handler_.WaitFor([&text = text](const Recorded& r) {
      return absl::StrContains(r.reason, text) && !r.rejections.empty() &&
             absl::StrContains(r.rejections.back().reason, text);
    })) << text;
    EXPECT_TRUE(stream.WaitForEnd());
  }
}

TEST_F(HostileTest, AListenerThatEndsWithoutAnAnswerIsTold) {
  Start();
  RawListener peer;
  ASSERT_TRUE(transport_->Connect(2, peer.address(), 1).ok());
  RawStream stream = peer.Accept();
  std::string greeting;
  ASSERT_TRUE(stream.Read(kPreambleBytes, &greeting));
  stream.Close();
  EXPECT_TRUE(handler_.WaitFor([](const Recorded& r) {
    return absl::StrContains(r.reason, "without an answer");
  }));
  EXPECT_TRUE(handler_.Get().connected.empty());
}

// No frame goes out before the listener accepts, however long that takes.
TEST_F(HostileTest, AListenerThatDoesNotAnswerGetsNoFrame) {
  Start(absl::Milliseconds(300));
  RawListener peer;
  ASSERT_TRUE(transport_->Connect(2, peer.address(), 1).ok());
  EXPECT_EQ(transport_->Send(2, Frame{{MakeSlice("frame")}}),
            SendResult::kSent);
  RawStream stream = peer.Accept();
  ASSERT_TRUE(stream.Write(Greeting().substr(0, 7)));
  ASSERT_TRUE(handler_.WaitForDisconnected(2));
  EXPECT_TRUE(absl::StrContains(handler_.Get().reason,
                                "did not answer within the handshake timeout"))
      << handler_.Get().reason;
  std::string all;
  EXPECT_FALSE(stream.Read(kPreambleBytes + 1, &all));
  // The frame is not lost.
  RawStream second = peer.Accept();
  ASSERT_TRUE(second.Write(Greeting()));
  ASSERT_TRUE(second.Read(kPreambleBytes + kLengthBytes + 5, &all));
  EXPECT_EQ(all, Greeting() + Wire("frame"));
}

TEST_F(HostileTest, WhoIsRefusedIsToldWhyAndClosesFirst) {
  Start();
  const std::pair<std::string, stream::Answer> cases[] = {
      {std::string("CLNS\x01\0\0\0", 8), stream::Answer::kOtherVersion},
      {std::string("\x16\x03\x01\x02\0", 5) + std::string(500, 'h'),
       stream::Answer::kHasNoTls},
  };
  for (const auto& [says, answer] : cases) {
    RawStream stream = RawStream::Dial(transport_->Address());
    ASSERT_TRUE(stream.Write(says + std::string(100000, 'x')));
    std::string heard;
    ASSERT_TRUE(stream.Read(kPreambleBytes, &heard));
    EXPECT_EQ(heard, stream::AnswerText(answer));
    // The server still reads, and drops what it gets.
    ASSERT_TRUE(stream.Write(std::string(100000, 'x')));
    stream.Finish();
    EXPECT_TRUE(stream.WaitForEnd());
  }
  ExpectAlive();
}

// Frames of which a part was written are not sent again; the others are.
TEST_F(HostileTest, NoFrameIsSentTwiceWhenTheConnectionIsLost) {
  Start();
  RawListener peer;
  ASSERT_TRUE(transport_->Connect(2, peer.address(), 1).ok());
  RawStream first = peer.Accept();
  ASSERT_TRUE(first.Write(Greeting()));
  ASSERT_TRUE(handler_.WaitForConnected(2));
  constexpr std::size_t kFrameBytes = 128 << 10;
  std::string text(kFrameBytes, 'z');
  int sent = 0;
  do {
    StoreLength(static_cast<std::uint32_t>(sent++), &text[0]);
  } while (transport_->Send(2, Frame{{MakeSlice(text)}}) == SendResult::kSent);
  // The first frame and half of the second.
  std::string received;
  ASSERT_TRUE(first.Read(kPreambleBytes + 3 * (kLengthBytes + kFrameBytes) / 2,
                         &received));
  first.Reset();

  RawStream second = peer.Accept();
  std::string begin;
  ASSERT_TRUE(second.Read(kPreambleBytes, &begin));
  ASSERT_TRUE(second.Write(Greeting()));
  std::thread stop([this] { transport_->Stop(absl::Seconds(30)); });
  std::uint32_t next = 2;
  std::string frame;
  while (second.Read(kLengthBytes + kFrameBytes, &frame)) {
    const std::uint32_t number = LoadLength(&frame[kLengthBytes]);
    EXPECT_GE(number, next);
    next = number + 1;
  }
  stop.join();
}

}  // namespace
}  // namespace streams
}  // namespace cluster::internal
