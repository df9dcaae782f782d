// A transport of one's own passes the library's tests: here the memory transport,
// as a stranger would test it.

#include "cluster/transport/contract/contract_suite.h"
#include "cluster/transport/memory/memory_transport.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

INSTANTIATE_TEST_SUITE_P(
    Mine, TransportContract,
    testing::Values(TransportUnderTest{
        "mine", NewMemoryTransport, [] { return "mine:0"; }, {""}}),
    TransportUnderTest::Name);

}  // namespace
}  // namespace cluster
