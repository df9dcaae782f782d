#include "cluster/transport/registry.h"

#include <map>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(RegistryTest, KnowsItsTransports) {
  EXPECT_THAT(TransportNames(), ElementsAre("memory", "nng", "tcp", "zmq"));
}

TEST(RegistryTest, EveryNameMakesATransport) {
  for (const std::string& name : TransportNames()) {
    const absl::StatusOr<TransportFactory> factory = FindTransport(name);
    ASSERT_TRUE(factory.ok()) << factory.status();
    const auto transport = (*factory)(TransportConfig());
    ASSERT_TRUE(transport.ok()) << name << ": " << transport.status();
    EXPECT_NE(*transport, nullptr);
  }
}

// A refusal lists the keys that the backend knows, which tells backends apart.
TEST(RegistryTest, EveryNameMakesItsOwnTransport) {
  const std::map<std::string, std::string> own_keys = {
      {"memory", "queue_bytes_max"},
      {"nng", "source_address, keepalive"},
      {"tcp", "spin_us"},
      {"zmq", "io_threads"}};
  for (const std::string& name : TransportNames()) {
    TransportConfig config;
    config.options.origin = "a.json:7: $." + name;
    config.options.values["no_such_option"] = true;
    const auto transport = (*FindTransport(name))(config);
    EXPECT_EQ(transport.status().code(), absl::StatusCode::kInvalidArgument);
    const std::string text(transport.status().message());
    EXPECT_THAT(text, HasSubstr("a.json:7: $." + name + ".no_such_option"));
    EXPECT_THAT(text, HasSubstr(own_keys.at(name)));
  }
}

TEST(RegistryTest, OptionsAreCheckedForAnyTransport) {
  TransportOptions options;
  EXPECT_TRUE(CheckTransportOptions("nng", options).ok());
  options.origin = "a.json:7: $.nng";
  options.values["bogus"] = std::int64_t{2};
  EXPECT_THAT(std::string(CheckTransportOptions("nng", options).message()),
              HasSubstr("a.json:7: $.nng.bogus: unknown key"));
  EXPECT_TRUE(CheckTransportOptions("from elsewhere", options).ok());
}

TEST(RegistryTest, UnknownNamesAreToldWithTheKnownOnes) {
  const absl::Status status = FindTransport("zmp").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(),
            "unknown transport \"zmp\"; did you mean \"zmq\"?; known: memory, "
            "nng, tcp, zmq");
  EXPECT_EQ(
      FindTransport("carrier pigeon").status().message(),
      "unknown transport \"carrier pigeon\"; known: memory, nng, tcp, zmq");
  EXPECT_EQ(FindTransport("ZMQ").status().code(), absl::StatusCode::kNotFound)
      << "names are matched letter by letter";
  EXPECT_THAT(
      std::string(FindTransport(std::string(1000, 'x')).status().message()),
      HasSubstr(std::string(80, 'x') + "...\"; known: "));
}

}  // namespace
}  // namespace cluster::internal
