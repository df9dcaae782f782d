// SourceAddress: the own address from which a server dials, for machines with
// several. It is the option "source_address" of backends on TCP.
//
// A value. Errors begin with the place of the option.
//
//   SourceAddress source = SourceAddress::Read(config.options, &reader);
//   absl::Status status = source.CheckIsHere();   // in Start
//   status = source.CheckReaches(numbers);        // before each dial

#ifndef CLUSTER_TRANSPORT_SOURCE_ADDRESS_H_
#define CLUSTER_TRANSPORT_SOURCE_ADDRESS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/types/optional.h"
#include "cluster/transport/address.h"
#include "cluster/transport/options.h"

namespace cluster::internal {

class SourceAddress {
 public:
  SourceAddress() = default;  // the system chooses

  // The reader reports a value that is no IPv4 or IPv6 number.
  static SourceAddress Read(const TransportOptions& options,
                            OptionReader* reader);

  // With port 0; none: the system chooses.
  const absl::optional<Address>& address() const { return address_; }

  // kFailedPrecondition: this machine does not have the address.
  absl::Status CheckIsHere() const;

  // kInvalidArgument: an address of the other family.
  absl::Status CheckReaches(const Address& numbers) const;

 private:
  absl::optional<Address> address_;
  std::string place_;
};

}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_SOURCE_ADDRESS_H_
