#include "tests/hostile/rogue_member.h"

#include <chrono>
#include <utility>

#include "cluster/transport/registry.h"
#include "gtest/gtest.h"
#include "tests/harness/fresh_address.h"
#include "tests/hostile/forgery.h"

namespace cluster::internal {
namespace {

constexpr std::uint64_t kIncarnation = 4711;
constexpr std::uint64_t kEpoch = 0x1234567890abcdef;
constexpr std::uint64_t kNonce = 99;

}  // namespace

RogueMember::RogueMember(int id, const std::string& backend,
                         const std::string& cluster)
    : id_(id), cluster_(cluster) {
  TransportConfig config;
  config.cluster = cluster;
  config.server_id = id;
  config.frame_bytes_max = 17u << 20;
  transport_ = *(*FindTransport(backend))(config);
  const absl::Status status =
      transport_->Start(this, FreshAddress(AddressKind::kIpv4));
  EXPECT_TRUE(status.ok()) << status;
}

void RogueMember::Join(int server, const std::string& address) {
  {
    MutexLock lock(&mutex_);
    server_ = server;
  }
  const absl::Status status =
      transport_->Connect(server, address, /*generation=*/1);
  EXPECT_TRUE(status.ok()) << status;
}

bool RogueMember::WaitForSessions(int count) {
  MutexLock lock(&mutex_);
  return changed_.WaitFor(&mutex_, std::chrono::seconds(30),
                          [&] { return sessions_ >= count; });
}

FrameHeader RogueMember::Header(FrameKind kind) const {
  MutexLock lock(&mutex_);
  FrameHeader header;
  header.kind = kind;
  header.flags = kHearsYou;
  header.sender_id = static_cast<std::uint32_t>(id_);
  header.destination_id = static_cast<std::uint32_t>(server_);
  header.session = session_;
  return header;
}

void RogueMember::Say(const std::string& frame) {
  while (transport_->Send(server_, Frame{{MakeSlice(frame)}}) ==
         SendResult::kBackPressured) {
    MutexLock lock(&mutex_);
    ASSERT_TRUE(changed_.WaitFor(&mutex_, std::chrono::seconds(30),
                                 [&] { return writable_ > 0; }));
    --writable_;
  }
}

void RogueMember::OnWritable(int) {
  MutexLock lock(&mutex_);
  ++writable_;
  changed_.NotifyAll();
}

// A frame of another session than the last one begins a new session.
FrameVerdict RogueMember::OnFrame(ReceivedFrame frame) {
  FrameHeader header;
  absl::string_view body;
  const std::string bytes = frame.ToString();
  EXPECT_EQ(DecodeFrame(bytes, &header, &body), FrameError::kNone);
  Hello hello;
  if (header.kind == FrameKind::kHello && DecodeHello(body, &hello))
    Answer(hello);
  if (only_receives_ && header.kind == FrameKind::kData) {
    FrameHeader answer = Header(FrameKind::kControl);
    answer.stamp = ++stamp_;
    answer.received_through = header.sequence;
    Say(MakeFrame(answer, ""));
  }
  MutexLock lock(&mutex_);
  if (header.session != 0 && header.session != session_) {
    session_ = header.session;
    ++sessions_;
    changed_.NotifyAll();
  }
  return FrameVerdict::kAccepted;
}

void RogueMember::Answer(const Hello& hello) {
  Hello answer;
  answer.versions = {kFrameVersionMin, kFrameVersionMax};
  answer.incarnation = kIncarnation;
  answer.epoch = kEpoch;
  answer.nonce = kNonce;
  answer.echo_nonce = hello.nonce;
  answer.echo_epoch = hello.epoch;
  answer.window_bytes = window_bytes_;
  answer.frame_bytes_max = 1u << 20;
  answer.payload_bytes_max = 1u << 20;
  answer.codec = 1;
  answer.cluster = cluster_;
  FrameHeader header = Header(FrameKind::kHello);
  header.flags = 0;
  header.session = kEpoch ^ hello.epoch;
  Say(MakeFrame(header, EncodeHello(answer)));
}

}  // namespace cluster::internal
