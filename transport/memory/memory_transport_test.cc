#include "transport/memory/memory_transport.h"

#include "gtest/gtest.h"
#include "transport/contract/contract_suite.h"

namespace cluster {
namespace {

TransportUnderTest Memory(std::string name, std::string address) {
  TransportUnderTest memory;
  memory.name = std::move(name);
  memory.factory = NewMemoryTransport;
  memory.fresh_address = [address] { return address; };
  memory.bad_addresses = {""};
  return memory;
}

INSTANTIATE_TEST_SUITE_P(Memory, TransportContract,
                         testing::Values(Memory("name", "server:0"),
                                         Memory("ipv6", "[::1]:0")),
                         TransportUnderTest::Name);

}  // namespace
}  // namespace cluster
