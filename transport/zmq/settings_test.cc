#include "cluster/transport/zmq/settings.h"

#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "cluster/transport/zmq/context.h"
#include "cluster/transport/zmq/zmq_transport.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

TransportConfig With(const std::string& key, OptionValue value) {
  TransportConfig config;
  config.options.origin = "a.json:7: $.zmq";
  config.options.values[key] = std::move(value);
  return config;
}

TEST(ZmqOptions, NoneIsFine) {
  EXPECT_TRUE(NewZmqTransport(TransportConfig()).ok());
}

TEST(ZmqOptions, AreRead) {
  TransportConfig config = With("io_threads", std::int64_t{2});
  config.options.values["send_hwm"] = std::int64_t{3};
  config.options.values["receive_hwm"] = std::int64_t{4};
  config.options.values["tcp_buffer_bytes"] = std::int64_t{65536};
  config.options.values["source_address"] = std::string("127.0.0.9");
  config.options.values["tcp_user_timeout_ms"] = std::int64_t{7000};
  config.options.values["keepalive_seconds"] = std::int64_t{5};
  config.frame_bytes_max = 1000;
  config.handshake_timeout = absl::Seconds(7);
  const auto settings = zmq_backend::ReadSettings(config);
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->io_threads, 2);
  EXPECT_EQ(settings->send_hwm, 3);
  EXPECT_EQ(settings->receive_hwm, 4);
  EXPECT_EQ(settings->tcp_buffer_bytes, 65536);
  EXPECT_EQ(settings->source.address()->host, "127.0.0.9");
  EXPECT_EQ(settings->tcp_user_timeout_ms, 7000);
  EXPECT_EQ(settings->keepalive_seconds, 5);
  EXPECT_EQ(settings->frame_bytes_max, 1000u);
  EXPECT_EQ(settings->handshake_ms, 7000);
}

TEST(ZmqOptions, AnUnknownKeyIsRefusedAndTheNearestNamed) {
  const absl::Status status =
      NewZmqTransport(With("send_hwn", std::int64_t{5})).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(status.message(), "a.json:7: $.zmq.send_hwn"))
      << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "\"send_hwm\"")) << status;
}

TEST(ZmqOptions, ValuesOutOfRangeAreRefused) {
  for (const char* key : {"io_threads", "send_hwm", "receive_hwm"}) {
    EXPECT_FALSE(NewZmqTransport(With(key, std::int64_t{0})).ok()) << key;
    EXPECT_FALSE(NewZmqTransport(With(key, std::int64_t{1} << 40)).ok()) << key;
    EXPECT_FALSE(NewZmqTransport(With(key, std::string("4"))).ok()) << key;
  }
  EXPECT_FALSE(
      NewZmqTransport(With("tcp_buffer_bytes", std::int64_t{-1})).ok());
  EXPECT_FALSE(
      NewZmqTransport(With("keepalive_seconds", std::int64_t{32768})).ok());
  EXPECT_FALSE(
      NewZmqTransport(With("tcp_user_timeout_ms", std::int64_t{-1})).ok());
  EXPECT_FALSE(
      NewZmqTransport(With("source_address", std::string("db1"))).ok());
}

TEST(ZmqOptions, ReachTheSockets) {
  TransportConfig config = With("send_hwm", std::int64_t{3});
  config.options.values["receive_hwm"] = std::int64_t{4};
  config.options.values["tcp_buffer_bytes"] = std::int64_t{65536};
  config.options.values["tcp_user_timeout_ms"] = std::int64_t{7000};
  config.options.values["keepalive_seconds"] = std::int64_t{5};
  config.frame_bytes_max = 1000;
  const auto settings = zmq_backend::ReadSettings(config);
  ASSERT_TRUE(settings.ok());
  zmq::context_t context;
  zmq::socket_t push(context, zmq::socket_type::push);
  zmq::socket_t pull(context, zmq::socket_type::pull);
  Address v4;
  v4.host = "127.0.0.1";
  Address v6;
  v6.host = "::1";
  SetUpPush(*settings, v4, &push);
  SetUpPull(*settings, v6, &pull);
  EXPECT_EQ(push.get(zmq::sockopt::sndhwm), 3);
  EXPECT_EQ(push.get(zmq::sockopt::sndbuf), 65536);
  EXPECT_EQ(push.get(zmq::sockopt::tcp_maxrt), 7000);
  EXPECT_EQ(push.get(zmq::sockopt::tcp_keepalive), 1);
  EXPECT_EQ(push.get(zmq::sockopt::tcp_keepalive_idle), 5);
  EXPECT_EQ(pull.get(zmq::sockopt::tcp_keepalive_intvl), 5);
  EXPECT_EQ(push.get(zmq::sockopt::linger), 0);
  EXPECT_FALSE(push.get(zmq::sockopt::ipv6));
  EXPECT_EQ(pull.get(zmq::sockopt::rcvhwm), 4);
  EXPECT_EQ(pull.get(zmq::sockopt::maxmsgsize), 1000);
  EXPECT_EQ(pull.get(zmq::sockopt::handshake_ivl), 5000);
  EXPECT_TRUE(pull.get(zmq::sockopt::ipv6));
}

TEST(ZmqOptions, OneContextIsNotSharedByServersWithKeysOfTheirOwn) {
  TransportConfig config = With("share_context", true);
  EXPECT_TRUE(zmq_backend::ReadSettings(config)->share_context);
  config.security.emplace();
  const absl::Status status = zmq_backend::ReadSettings(config).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_TRUE(absl::StrContains(status.message(), "share_context: not with"))
      << status;
}

TEST(NewContext, IsOneWhileItIsSharedAndInUse) {
  using zmq_backend::NewContext;
  zmq_backend::ZmqSettings settings;
  EXPECT_NE(NewContext(settings), NewContext(settings));
  settings.share_context = true;
  std::shared_ptr<zmq::context_t> first = NewContext(settings);
  EXPECT_EQ(NewContext(settings), first);
  settings.io_threads = 2;
  EXPECT_NE(NewContext(settings), first);
  const std::weak_ptr<zmq::context_t> gone = std::exchange(first, nullptr);
  EXPECT_TRUE(gone.expired());
}

TEST(CallZmq, IsMadeAgainWhileASignalInterruptsIt) {
  int calls = 0;
  const auto call = [&] {
    errno = EINTR;
    return ++calls == 3 ? 0 : -1;
  };
  const absl::Status status =
      zmq_backend::CatchZmq("do it", [&] { zmq_backend::CallZmq(call); });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(calls, 3);
}

TEST(CatchZmq, TurnsExceptionsIntoStatuses) {
  zmq::context_t context;
  zmq::socket_t pull(context, zmq::socket_type::pull);
  const absl::Status status =
      zmq_backend::CatchZmq("do it", [&] { pull.connect("nonsense"); });
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StartsWith(status.message(), "cannot do it: ")) << status;
}

}  // namespace
}  // namespace cluster::internal
