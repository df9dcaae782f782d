// FreshName: an address to listen at and to dial, by a name that only a name
// server of this test process knows. So a suite for numbers runs with names.
//
//   TransportUnderTest{"name", NewZmqTransport, FreshName};

#ifndef CLUSTER_TRANSPORT_RESOLVER_TESTING_FRESH_NAME_H_
#define CLUSTER_TRANSPORT_RESOLVER_TESTING_FRESH_NAME_H_

#include <atomic>
#include <string>

#include "absl/strings/str_cat.h"
#include "cluster/transport/address.h"
#include "cluster/transport/contract/contract_suite.h"
#include "cluster/transport/resolver/testing/dns_server.h"

namespace cluster::internal {

inline std::string FreshName() {
  static DnsServer& dns = *new DnsServer;  // for all of the process
  static std::atomic<int> count{0};
  const std::string name = absl::StrCat("s", ++count, ".test");
  dns.Set(name, {ParseAddress(FreshIpv4Address())->host});
  return absl::StrCat(name, ":0");
}

}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_RESOLVER_TESTING_FRESH_NAME_H_
