// Addresses to bind that nobody else has.
//
// For IPv4 a random host of 127/8 with port 0, so the port that a server gets
// stays free for its next life. For IPv6 "[::1]:0". For ipc a path in a folder
// of this process, which the process removes at its end. Nothing is reserved.
// Thread-safe; aborts if it cannot make the folder.

#ifndef TESTS_HARNESS_FRESH_ADDRESS_H_
#define TESTS_HARNESS_FRESH_ADDRESS_H_

#include <string>

namespace cluster::internal {

enum class AddressKind { kIpv4, kIpv6, kIpc };

// "Ipv4" and so on, for names of tests.
std::string AddressKindName(AddressKind kind);

std::string FreshAddress(AddressKind kind);

// A folder of this process for files and sockets, removed at its end.
const std::string& ScratchFolder();

}  // namespace cluster::internal

#endif  // TESTS_HARNESS_FRESH_ADDRESS_H_
