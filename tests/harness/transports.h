// The transports that suites run on, as parameters of their tests.
//
// They come from the library's own table, so a new transport is in all suites.
// tests/transports.bzl has the same names for BUILD files.
//
//   INSTANTIATE_TEST_SUITE_P(Backends, FlushTest,
//                            testing::ValuesIn(AllTransports()), TransportName);

#ifndef TESTS_HARNESS_TRANSPORTS_H_
#define TESTS_HARNESS_TRANSPORTS_H_

#include <string>
#include <vector>

#include "cluster/transport/transport_facts.h"
#include "gtest/gtest.h"

namespace cluster::internal {

inline std::vector<const char*> AllTransports() {
  std::vector<const char*> names;
  for (const TransportFacts& facts : kTransports) names.push_back(facts.name);
  return names;
}

// The transports that connect several processes.
inline std::vector<const char*> SocketTransports() {
  std::vector<const char*> names;
  for (const TransportFacts& facts : kTransports)
    if (!facts.one_process_only) names.push_back(facts.name);
  return names;
}

// "secured_zmq" and so on.
inline std::vector<const char*> SecuredTransports() {
  std::vector<const char*> names;
#define CLUSTER_SECURED(name, factory, sockets, secured, one_process) \
  if (secured) names.push_back("secured_" name);
  CLUSTER_TRANSPORTS(CLUSTER_SECURED)
#undef CLUSTER_SECURED
  return names;
}

inline std::vector<const char*> With(std::vector<const char*> names,
                                     const std::vector<const char*>& more) {
  names.insert(names.end(), more.begin(), more.end());
  return names;
}

inline std::string TransportName(
    const testing::TestParamInfo<const char*>& info) {
  return info.param;
}

}  // namespace cluster::internal

#endif  // TESTS_HARNESS_TRANSPORTS_H_
