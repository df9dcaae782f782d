// FreshAddress: addresses to bind that nobody else has.
//
// What it is: a host of 127/8 drawn at random, with port 0, so that the port
// that a server got stays free for its next life; "[::1]:0"; a socket's path in
// a folder of this process. What it is not: reserved.
//
// Threads: any. Ownership: the folder goes with the process. Errors: a folder
// that cannot be made aborts.

#ifndef TESTS_HARNESS_FRESH_ADDRESS_H_
#define TESTS_HARNESS_FRESH_ADDRESS_H_

#include <string>

namespace cluster {

enum class AddressKind { kIpv4, kIpv6, kIpc };

// "Ipv4" and so on, for names of tests.
std::string AddressKindName(AddressKind kind);

std::string FreshAddress(AddressKind kind);

// A folder of this process for files and sockets, removed at its end.
const std::string& ScratchFolder();

}  // namespace cluster

#endif  // TESTS_HARNESS_FRESH_ADDRESS_H_
