#include "cluster/transport/source_address.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace cluster::internal {
namespace {

constexpr char kKey[] = "source_address";

}  // namespace

SourceAddress SourceAddress::Read(const TransportOptions& options,
                                  OptionReader* reader) {
  SourceAddress source;
  source.place_ =
      absl::StrCat(options.origin, options.origin.empty() ? "" : ".", kKey);
  const std::string text = reader->String(kKey, "");
  if (text.empty()) return source;
  const absl::StatusOr<Address> address =
      ParseAddress(absl::StrContains(text, ':') ? absl::StrCat("[", text, "]:0")
                                                : absl::StrCat(text, ":0"));
  if (address.ok() && !address->is_name() && !address->is_every_interface() &&
      address->host == text) {
    source.address_ = *address;
  } else {
    reader->Fail(kKey, absl::StrCat("found \"", text,
                                    "\", want an IPv4 or IPv6 address of this "
                                    "machine, or \"\": the system chooses"));
  }
  return source;
}

absl::Status SourceAddress::CheckIsHere() const {
  if (!address_) return absl::OkStatus();
  const absl::StatusOr<Address> numbers = ToNumbers(*address_);
  if (!numbers.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat(place_, ": ", numbers.status().message()));
  }
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(numbers->host.c_str(), "0", &hints, &list);
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(
      list, [](addrinfo* owned) {
        if (owned != nullptr) freeaddrinfo(owned);
      });
  if (error != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(place_, ": ", address_->host, ": ", gai_strerror(error)));
  }
  const int fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::ErrnoToStatus(errno, place_);
  const bool bound = bind(fd, list->ai_addr, list->ai_addrlen) == 0;
  const int bind_error = errno;
  close(fd);
  if (bound) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(place_, ": cannot dial from ", address_->host, ": ",
                   bind_error == EADDRNOTAVAIL
                       ? "this machine has no such address; `ip addr` lists "
                         "its addresses"
                       : std::strerror(bind_error)));
}

absl::Status SourceAddress::CheckReaches(const Address& numbers) const {
  if (!address_ || numbers.kind != Address::Kind::kTcp ||
      address_->is_v6() == numbers.is_v6()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      place_, ": ", address_->host, " cannot reach ", ToString(numbers),
      ", which is ", numbers.is_v6() ? "IPv6" : "IPv4",
      "; want both of one family, or no source_address"));
}

}  // namespace cluster::internal
