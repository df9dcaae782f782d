// The checks of the list of servers.

#include <arpa/inet.h>

#include <filesystem>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cluster/config/check.h"
#include "cluster/config/keys.h"
#include "cluster/config/positioned_json.h"
#include "cluster/envelope.h"
#include "cluster/transport/address.h"
#include "cluster/transport/transport_facts.h"

namespace cluster::internal {
namespace {

// Whether ParseAddress reads them; a stranger's transport has its own form.
bool HasOurAddresses(const Config& config) {
  const TransportFacts* const facts = FindTransportFacts(config.transport);
  return facts != nullptr && facts->socket_addresses;
}

// An address's error at its place.
absl::Status FormError(const ConfigPlaces& places, const std::string& path,
                       const absl::Status& error) {
  absl::string_view text = error.message();
  absl::ConsumePrefix(&text, "address ");
  return places.Error(path, absl::StrCat("found ", text));
}

// One form for all texts of a host: "DB1.", "localhost", "[::ffff:127.0.0.1]".
std::string CanonicalHost(absl::string_view host) {
  std::string text = absl::AsciiStrToLower(absl::StripSuffix(host, "."));
  if (text == "localhost") return "127.0.0.1";
  in6_addr v6;
  if (inet_pton(AF_INET6, text.c_str(), &v6) != 1) return text;
  char shown[INET6_ADDRSTRLEN];
  if (IN6_IS_ADDR_V4MAPPED(&v6))
    inet_ntop(AF_INET, &v6.s6_addr[12], shown, sizeof(shown));
  else
    inet_ntop(AF_INET6, &v6, shown, sizeof(shown));
  return shown;
}

std::string CanonicalText(Address address) {
  if (address.kind == Address::Kind::kIpc)
    address.path = std::filesystem::path(address.path).lexically_normal();
  else
    address.host = CanonicalHost(address.host);
  return ToString(address);
}

// One form per address, so that "h:080" and "h:80" are the same one; "" if the
// port is any free one.
absl::StatusOr<std::string> AddressIdentity(const Config& config,
                                            const std::string& text) {
  const absl::StatusOr<Address> address = ParseAddress(text);
  if (!address.ok() && HasOurAddresses(config)) return address.status();
  if (!address.ok()) return text;
  if (address->kind == Address::Kind::kTcp && address->port == 0)
    return std::string();
  return HasOurAddresses(config) ? CanonicalText(*address) : text;
}

// Ids and addresses seen so far, and which server had them.
struct Seen {
  std::map<int, std::size_t> ids;
  std::map<std::string, std::size_t> addresses;
  std::map<std::string, std::size_t> admins;
};

absl::Status CheckId(const Config& config, const ConfigPlaces& places,
                     std::size_t index, Seen* seen) {
  const int found = config.servers[index].id;
  const std::string path =
      MemberPath(ItemPath(places.servers_path, index), places.id_key);
  if (found < 0) {
    return places.Error(
        path, absl::StrCat("found ", found, ", want an integer from 0 to ",
                           kServerIdMax));
  }
  const auto [id, is_new] = seen->ids.emplace(found, index);
  if (is_new) return absl::OkStatus();
  return places.Error(path,
                      absl::StrCat("found ", found, ", the id of ",
                                   ItemPath(places.servers_path, id->second),
                                   " too; want every id once"));
}

absl::Status CheckAddress(const Config& config, const ConfigPlaces& places,
                          std::size_t index, Seen* seen) {
  const std::string& found = config.servers[index].address;
  const std::string path =
      MemberPath(ItemPath(places.servers_path, index), places.address_key);
  absl::Status status = CheckText(places, path, found, kAddressBytesMax);
  if (!status.ok()) return status;
  absl::StatusOr<std::string> identity = AddressIdentity(config, found);
  if (!identity.ok()) return FormError(places, path, identity.status());
  if (identity->empty()) return absl::OkStatus();
  const auto [address, is_new] =
      seen->addresses.emplace(*std::move(identity), index);
  if (is_new) {
    status = config.servers.size() == 1 ? absl::OkStatus()
                                        : CheckPeerAddress(config, found);
    return status.ok() ? status : FormError(places, path, status);
  }
  return places.Error(
      path, absl::StrCat("found ", QuotedExcerpt(found), ", the address of ",
                         ItemPath(places.servers_path, address->second),
                         " too; want every address once"));
}

// Servers of different machines may well listen at the same text.
absl::Status CheckListen(const Config& config, const ConfigPlaces& places,
                         std::size_t index) {
  const std::string& found = config.servers[index].listen;
  if (found.empty()) return absl::OkStatus();
  const std::string path =
      MemberPath(ItemPath(places.servers_path, index), "listen");
  const TransportFacts* const facts = FindTransportFacts(config.transport);
  if (facts != nullptr && !facts->socket_addresses) {
    return places.Error(
        path, absl::StrCat("found with \"transport\": \"", facts->name,
                           "\", where the address is a name, want it with ",
                           TransportsThat(&TransportFacts::socket_addresses)));
  }
  absl::Status status = CheckText(places, path, found, kAddressBytesMax);
  if (!status.ok() || !HasOurAddresses(config)) return status;
  status = ParseAddress(found).status();
  return status.ok() ? status : FormError(places, path, status);
}

// Of any transport's server, and by name or number.
absl::Status CheckAdmin(const Config& config, const ConfigPlaces& places,
                        std::size_t index, Seen* seen) {
  const std::string& found = config.servers[index].admin;
  if (found.empty()) return absl::OkStatus();
  const std::string path =
      MemberPath(ItemPath(places.servers_path, index), "admin");
  absl::StatusOr<Address> address = ParseAddress(found);
  if (!address.ok()) return FormError(places, path, address.status());
  if (address->is_every_interface()) {
    return places.Error(
        path, absl::StrCat("found ", QuotedExcerpt(found),
                           ", every interface, which no client can dial; want "
                           "the host where clients reach it (node --admin says "
                           "where it listens)"));
  }
  if (address->kind == Address::Kind::kTcp && address->port == 0)
    return absl::OkStatus();
  const auto [other, is_new] =
      seen->admins.emplace(CanonicalText(*std::move(address)), index);
  if (is_new) return absl::OkStatus();
  return places.Error(path,
                      absl::StrCat("found ", QuotedExcerpt(found), ", that of ",
                                   ItemPath(places.servers_path, other->second),
                                   " too; want every address once"));
}

absl::Status CheckServer(const Config& config, const ConfigPlaces& places,
                         std::size_t index, Seen* seen) {
  absl::Status status = CheckId(config, places, index, seen);
  status.Update(CheckAddress(config, places, index, seen));
  status.Update(CheckListen(config, places, index));
  status.Update(CheckAdmin(config, places, index, seen));
  return status;
}

}  // namespace

absl::Status CheckPeerAddress(const Config& config, const std::string& text) {
  if (!HasOurAddresses(config)) return absl::OkStatus();
  const absl::StatusOr<Address> address = ParseAddress(text);
  if (!address.ok()) return address.status();
  if (!address->is_every_interface() || address->port == 0)
    return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "address ", QuotedExcerpt(text),
      ": every interface, which nobody can dial; want the host that the other "
      "servers reach this one at (and in its config \"listen\": ",
      QuotedExcerpt(text), ")"));
}

absl::Status CheckNewPeer(const Config& config, int id, const std::string& text,
                          const std::string& own_bound) {
  if (text.empty() || text.size() > kAddressBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("address ", QuotedExcerpt(text), " of ", text.size(),
                     " bytes: want 1 to ", kAddressBytesMax, " bytes"));
  }
  if (absl::Status status = CheckPeerAddress(config, text); !status.ok())
    return status;
  const absl::StatusOr<std::string> wanted = AddressIdentity(config, text);
  if (!wanted.ok() || wanted->empty()) return wanted.status();
  const auto is_there = [&](const std::string& other) {
    const absl::StatusOr<std::string> identity = AddressIdentity(config, other);
    return identity.ok() && *identity == *wanted;
  };
  for (const ServerAddress& server : config.servers) {
    if (server.id == id || !is_there(server.address)) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "address ", QuotedExcerpt(text), ": the address of server ", server.id,
        " too; want every address once"));
  }
  if (!own_bound.empty() && is_there(own_bound)) {
    return absl::InvalidArgumentError(
        absl::StrCat("address ", QuotedExcerpt(text),
                     ": where this server listens; want every address once"));
  }
  return absl::OkStatus();
}

absl::Status CheckServers(const Config& config, const ConfigPlaces& places) {
  if (config.servers.empty() || config.servers.size() > kServersMax) {
    return places.Error(places.servers_path,
                        absl::StrCat("found ", config.servers.size(),
                                     " servers, want 1 to ", kServersMax));
  }
  Seen seen;
  for (std::size_t i = 0; i < config.servers.size(); ++i) {
    absl::Status status = CheckServer(config, places, i, &seen);
    if (!status.ok()) return status;
  }
  if (config.admin.certificate.empty() != config.admin.key.empty()) {
    return places.Error("$.admin",
                        "found one of \"certificate\" and \"key\", want both "
                        "or none");
  }
  return absl::OkStatus();
}

}  // namespace cluster::internal
