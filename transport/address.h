// Address: the text form of an endpoint, parsed. Every backend takes the same
// forms: "host:port", "[v6]:port" or "ipc:///path".
//
// Names are looked up elsewhere (resolver/resolver.h). kInvalidArgument shows the
// text and the allowed forms.
//
//   absl::StatusOr<cluster::Address> address =
//       cluster::ParseAddress("[::1]:10001");
//   // address->host == "::1", address->port == 10001

#ifndef CLUSTER_TRANSPORT_ADDRESS_H_
#define CLUSTER_TRANSPORT_ADDRESS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cluster/export.h"

namespace cluster {

struct CLUSTER_EXPORT Address {
  enum class Kind { kTcp, kIpc };
  Kind kind = Kind::kTcp;
  // tcp: a name or a number, without brackets; "*" is every interface. An IPv6
  // number may have a zone: "fe80::1%eth0".
  std::string host;
  std::uint16_t port = 0;  // tcp: 0 asks the system for a free one
  std::string path;        // ipc: absolute, at most kIpcPathBytesMax bytes

  bool is_v6() const { return host.find(':') != std::string::npos; }
  // "*", "0.0.0.0", "[::]": to listen on, not to dial.
  bool is_every_interface() const;
  // Whether the host is to be looked up. "localhost" is not: it is 127.0.0.1.
  bool is_name() const;
};

// Fits a sockaddr_un everywhere, with its terminating zero.
inline constexpr std::size_t kIpcPathBytesMax = 107;

CLUSTER_EXPORT absl::StatusOr<Address> ParseAddress(absl::string_view text);

// Whether the text asks for any free port: a tcp address with port 0, or a text
// of another form that ends in ":0". The path of "ipc:///tmp/two:0" has no
// port.
CLUSTER_EXPORT bool AsksForAnyPort(absl::string_view text);

// The address as numbers only: 127.0.0.1 for "localhost", and an interface's
// number for its name in a zone. Not of a name. kNotFound: there is no such
// interface.
CLUSTER_EXPORT absl::StatusOr<Address> ToNumbers(const Address& address);

// The text that ParseAddress reads.
CLUSTER_EXPORT std::string ToString(const Address& address);

// The rest of the error of a listener at an address that this machine lacks.
CLUSTER_EXPORT std::string NoSuchAddressText(const Address& address);

}  // namespace cluster

#endif  // CLUSTER_TRANSPORT_ADDRESS_H_
