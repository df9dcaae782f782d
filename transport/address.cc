#include "cluster/transport/address.h"

#include <arpa/inet.h>
#include <net/if.h>

#include <algorithm>
#include <charconv>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace cluster {
namespace {

constexpr char kLocalhost[] = "localhost";

constexpr std::size_t kHostBytesMax =
    253;  // RFC 1035, section 2.3.4, without the final dot

absl::Status Bad(absl::string_view text, absl::string_view why) {
  constexpr std::size_t kShown = 80;
  return absl::InvalidArgumentError(absl::StrCat(
      "address \"", text.substr(0, kShown), text.size() > kShown ? "..." : "",
      "\": ", why, "; want \"host:port\", \"[v6]:port\" or \"ipc:///path\""));
}

absl::StatusOr<Address> ParseIpc(absl::string_view text,
                                 absl::string_view path) {
  if (path.size() < 2 || path.front() != '/')
    return Bad(text, "the path is not absolute");
  if (path.size() > kIpcPathBytesMax) {
    return Bad(text,
               absl::StrCat("the path has ", path.size(), " bytes, at most ",
                            kIpcPathBytesMax, " fit a socket's name"));
  }
  if (path.find('\0') != absl::string_view::npos)
    return Bad(text, "the path holds a zero byte");
  Address address;
  address.kind = Address::Kind::kIpc;
  address.path = std::string(path);
  return address;
}

bool IsHostCharacter(unsigned char c) {
  return absl::ascii_isalnum(c) || c == '-' || c == '.' || c == '_';
}

bool IsV4(const std::string& host) {
  in_addr parsed;
  return inet_pton(AF_INET, host.c_str(), &parsed) == 1;
}

bool IsV6(const std::string& host) {
  in6_addr parsed;
  return inet_pton(AF_INET6, host.c_str(), &parsed) == 1;
}

// Of an interface: its name or number.
bool IsZone(absl::string_view zone) {
  return !zone.empty() && zone.size() < IF_NAMESIZE &&
         std::all_of(zone.begin(), zone.end(), [](unsigned char c) {
           return absl::ascii_isgraph(c) && c != '/' && c != '%' && c != '[' &&
                  c != ']';
         });
}

// Judges the text between brackets.
bool IsV6WithZone(absl::string_view text) {
  const std::size_t percent = text.find('%');
  return IsV6(std::string(text.substr(0, percent))) &&
         (percent == absl::string_view::npos ||
          IsZone(text.substr(percent + 1)));
}

}  // namespace

absl::StatusOr<Address> ParseAddress(absl::string_view text) {
  absl::string_view path = text;
  if (absl::ConsumePrefix(&path, "ipc://")) return ParseIpc(text, path);
  if (absl::StrContains(text, "://"))
    return Bad(text, "the scheme is not known");

  const std::size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return Bad(text, "there is no port");
  absl::string_view host = text.substr(0, colon);
  const absl::string_view port_text = text.substr(colon + 1);

  Address address;
  const char* const end = port_text.data() + port_text.size();
  const auto port = std::from_chars(port_text.data(), end, address.port);
  if (port.ec != std::errc() || port.ptr != end || port_text.size() > 5)
    return Bad(text, "the port is not a number from 0 to 65535");

  if (absl::ConsumePrefix(&host, "[")) {
    if (!absl::ConsumeSuffix(&host, "]") || !IsV6WithZone(host))
      return Bad(text, "the brackets hold no IPv6 address");
  } else {
    if (host.empty()) return Bad(text, "there is no host");
    if (host.size() > kHostBytesMax)
      return Bad(text, "the host is longer than 253 bytes");
    if (absl::StrContains(host, ':'))
      return Bad(text, "an IPv6 address stands in brackets");
    if (host != "*" && !std::all_of(host.begin(), host.end(), IsHostCharacter))
      return Bad(text, "the host holds a strange character");
  }
  address.host = std::string(host);
  return address;
}

bool AsksForAnyPort(absl::string_view text) {
  const absl::StatusOr<Address> address = ParseAddress(text);
  if (!address.ok())
    return absl::EndsWith(text, ":0") && !absl::StartsWith(text, "ipc://");
  return address->kind == Address::Kind::kTcp && address->port == 0;
}

bool Address::is_every_interface() const {
  if (kind != Kind::kTcp) return false;
  in_addr v4;
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return v4.s_addr == 0;
  in6_addr v6;
  const std::string number = host.substr(0, host.find('%'));
  if (inet_pton(AF_INET6, number.c_str(), &v6) == 1)
    return IN6_IS_ADDR_UNSPECIFIED(&v6);
  return host == "*";
}

bool Address::is_name() const {
  return kind == Kind::kTcp && !is_v6() && !IsV4(host) && host != "*" &&
         host != kLocalhost;
}

absl::StatusOr<Address> ToNumbers(const Address& address) {
  Address numbers = address;
  if (address.host == kLocalhost) numbers.host = "127.0.0.1";
  const std::size_t percent = address.host.find('%');
  if (percent == std::string::npos) return numbers;
  const std::string zone = address.host.substr(percent + 1);
  unsigned number = 0;
  if (!absl::SimpleAtoi(zone, &number)) number = if_nametoindex(zone.c_str());
  if (number == 0) {
    return absl::NotFoundError(absl::StrCat(
        "address \"", ToString(address), "\": this machine has no interface \"",
        zone, "\"; `ip link` lists its interfaces"));
  }
  numbers.host = absl::StrCat(address.host.substr(0, percent), "%", number);
  return numbers;
}

std::string ToString(const Address& address) {
  if (address.kind == Address::Kind::kIpc)
    return absl::StrCat("ipc://", address.path);
  if (address.is_v6())
    return absl::StrCat("[", address.host, "]:", address.port);
  return absl::StrCat(address.host, ":", address.port);
}

std::string NoSuchAddressText(const Address& address) {
  Address all = address;
  all.host = address.is_v6() ? "::" : "*";
  return absl::StrCat(
      "this machine has no such address. If the other servers reach this one "
      "there, keep it as \"address\" and add \"listen\": \"",
      ToString(all), "\", or an address of this machine");
}

}  // namespace cluster
