// The tcp backend: the contract of all transports, with and without polling, and
// its own options. //tests/streams tests the rest, for all backends on byte
// streams.

#include "cluster/transport/tcp/tcp_transport.h"

#include <cstdint>
#include <memory>
#include <string>

#include "cluster/transport/contract/contract_suite.h"
#include "cluster/transport/resolver/testing/fresh_name.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

absl::StatusOr<std::unique_ptr<Transport>> NewPolling(TransportConfig config) {
  config.options.values["spin_us"] = std::int64_t{100};
  return NewTcpTransport(config);
}

INSTANTIATE_TEST_SUITE_P(
    Tcp, TransportContract,
    testing::Values(
        TransportUnderTest{"ipv4", NewTcpTransport, FreshIpv4Address},
        TransportUnderTest{"ipv6", NewTcpTransport, FreshIpv6Address},
        TransportUnderTest{"ipc", NewTcpTransport, FreshIpcAddress},
        TransportUnderTest{"name", NewTcpTransport, FreshName},
        TransportUnderTest{"polling", NewPolling, FreshIpv4Address}),
    TransportUnderTest::Name);

absl::Status OptionStatus(const std::string& key, std::int64_t value) {
  TransportConfig config;
  config.options.origin = "configs/a.json:7: $.tcp";
  config.options.values[key] = value;
  return NewTcpTransport(config).status();
}

TEST(TcpTransport, OptionsHaveBounds) {
  for (const char* key :
       {"spin_us", "keepalive_seconds", "tcp_user_timeout_ms"}) {
    EXPECT_EQ(OptionStatus(key, 0), absl::OkStatus());
    EXPECT_EQ(OptionStatus(key, 1000), absl::OkStatus());
    for (const std::int64_t value : {std::int64_t{-1}, std::int64_t{1} << 31}) {
      const absl::Status status = OptionStatus(key, value);
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << key;
      EXPECT_THAT(std::string(status.message()),
                  testing::HasSubstr("configs/a.json:7"));
    }
  }
}

}  // namespace
}  // namespace cluster::internal
