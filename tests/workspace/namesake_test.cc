// A user's headers and targets may have the same names as the library's.

#include <memory>
#include <string>
#include <utility>

#include "base/check.h"
#include "cluster/codec/codec.h"
#include "cluster/config.h"
#include "cluster/server.h"
#include "cluster/transport/fault/fault_transport.h"
#include "cluster/transport/memory/memory_transport.h"
#include "cluster/transport/transport.h"
#include "cluster/version.h"
#include "codec/codec.h"
#include "config/config.h"
#include "gtest/gtest.h"
#include "transport/transport.h"

namespace {

TEST(NamesakeTest, HeadersAreTheUsersOwn) {
  EXPECT_STREQ(namesake::kCheck, "my own base/check.h");
  EXPECT_STREQ(namesake::kCodec, "my own codec/codec.h");
  EXPECT_STREQ(namesake::kConfig, "my own config/config.h");
  EXPECT_STREQ(namesake::kTransport, "my own transport/transport.h");
}

TEST(NamesakeTest, LibraryWorksBesideThem) {
  cluster::Config config;
  config.transport = "memory";
  config.servers = {{1, "one"}, {2, "two"}};
  auto one = cluster::NewServer(1, config);
  auto two = cluster::NewServer(2, config, cluster::NewMemoryTransport);
  ASSERT_TRUE(one.ok()) << one.status();
  ASSERT_TRUE(two.ok()) << two.status();
  ASSERT_TRUE((*one)->Start().ok());
  ASSERT_TRUE((*two)->Start().ok());
  cluster::Envelope envelope;
  envelope.pid = 2;
  envelope.payload = cluster::kVersion;
  ASSERT_TRUE((*one)->Send(envelope).ok());
  const auto got = (*two)->Receive();
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->payload, cluster::kVersion);
}

}  // namespace
