// DialOrder: which number to dial next for a peer's address. Each round begins
// with a look-up, and takes all that it found in turn, first the one that worked
// last. The address of a number is a round of its own, without a look-up. Not
// thread-safe.
//
//   DialOrder order(address);
//   absl::optional<Address> next = order.Next();
//   if (!next) ...  // look order.address().host up, then order.Found(hosts)
//   ...
//   order.Worked();

#ifndef CLUSTER_TRANSPORT_RESOLVER_DIAL_ORDER_H_
#define CLUSTER_TRANSPORT_RESOLVER_DIAL_ORDER_H_

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "cluster/transport/address.h"
#include "cluster/transport/resolver/resolver.h"

namespace cluster::internal {

class DialOrder {
 public:
  using Clock = std::chrono::steady_clock;

  DialOrder() = default;
  explicit DialOrder(Address address) : address_(std::move(address)) {}

  const Address& address() const { return address_; }

  // The next to dial; it may have a zone or be "localhost" (see ToNumbers). None:
  // the host is to be looked up.
  absl::optional<Address> Next() {
    if (!address_.is_name()) return address_;
    if (next_ == hosts_.size()) return absl::nullopt;
    current_ = hosts_[next_++];
    Address numbers = address_;
    numbers.host = current_;
    return numbers;
  }
  // Whether Next needs no look-up, since the round goes on.
  bool GoesOn() const { return next_ < hosts_.size(); }

  // Begins a round.
  void Found(Resolver::Hosts hosts) {
    hosts_ = std::move(hosts);
    next_ = 0;
    const auto worked = std::find(hosts_.begin(), hosts_.end(), worked_);
    if (worked != hosts_.end()) std::rotate(hosts_.begin(), worked, worked + 1);
  }

  // The last that Next returned was connected. Ends the round.
  void Worked() {
    worked_ = current_;
    hosts_.clear();
    next_ = 0;
  }

  // How long the last that Next returned may take to be connected. One that
  // swallows everything must not use up the time of all.
  Clock::duration TimeOf(Clock::duration all) const {
    constexpr Clock::duration kLeast = std::chrono::seconds(1);
    if (!GoesOn()) return all;
    return std::min(
        all, std::max(kLeast, all / static_cast<std::int64_t>(hosts_.size())));
  }

  // The address, and the number behind its name that Next returned last.
  std::string text() const {
    if (current_.empty()) return ToString(address_);
    return absl::StrCat(ToString(address_), " (", current_, ")");
  }

 private:
  Address address_;
  Resolver::Hosts hosts_;  // of this round
  std::size_t next_ = 0;
  std::string current_;  // that Next returned last
  std::string worked_;
};

}  // namespace cluster::internal

#endif  // CLUSTER_TRANSPORT_RESOLVER_DIAL_ORDER_H_
