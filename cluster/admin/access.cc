#include "cluster/admin/access.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cluster/base/check.h"
#include "cluster/config/check.h"
#include "cluster/transport/address.h"
#include "cluster/transport/key_files.h"

namespace cluster::internal {
namespace {

constexpr std::size_t kTokenBytesMin = 16;
constexpr std::size_t kTokenBytesMax = 512;

bool IsNumber(const std::string& host) {
  in_addr v4;
  in6_addr v6;
  return inet_pton(AF_INET, host.c_str(), &v4) == 1 ||
         inet_pton(AF_INET6, host.c_str(), &v6) == 1;
}

// "[::1]:9101" and "db1:9101" without the port and the brackets.
absl::string_view HostOf(absl::string_view header) {
  if (absl::ConsumePrefix(&header, "[")) {
    const std::size_t end = header.find(']');
    return end == absl::string_view::npos ? "" : header.substr(0, end);
  }
  return header.substr(0, header.find(':'));
}

std::pair<std::string, std::string> Split(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {path.substr(0, slash + 1), path.substr(slash + 1)};
}

}  // namespace

bool IsLocal(const std::string& address) {
  const absl::StatusOr<Address> parsed = ParseAddress(address);
  return parsed.ok() &&
         (parsed->kind == Address::Kind::kIpc || IsLoopback(parsed->host));
}

absl::Status CheckExposure(const std::string& address, bool has_token) {
  if (has_token || IsLocal(address)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "admin address \"", address,
      "\": other machines can reach it, and there is no token; want a token "
      "file, or 127.0.0.1, [::1] or ipc:///path"));
}

bool HostAllowed(absl::string_view header,
                 const std::vector<std::string>& hosts) {
  const std::string host = absl::AsciiStrToLower(
      absl::StripSuffix(HostOf(absl::StripAsciiWhitespace(header)), "."));
  if (host == "localhost" || IsNumber(host)) return true;
  return !host.empty() &&
         std::any_of(hosts.begin(), hosts.end(), [&](const std::string& name) {
           return absl::EqualsIgnoreCase(name, host);
         });
}

absl::StatusOr<Secret> ReadPrivate(const std::string& file) {
  const auto [folder, name] = Split(file);
  return ReadPrivateFile(folder, name);
}

absl::StatusOr<std::string> ReadPublic(const std::string& file) {
  const auto [folder, name] = Split(file);
  return ReadPublicFile(folder, name);
}

absl::StatusOr<Secret> ReadToken(const std::string& file) {
  absl::StatusOr<Secret> token = ReadPrivate(file);
  if (!token.ok()) return token;
  token->Truncate(absl::StripTrailingAsciiWhitespace(token->text()).size());
  const absl::string_view text = token->text();
  if (text.size() >= kTokenBytesMin && text.size() <= kTokenBytesMax &&
      std::all_of(text.begin(), text.end(),
                  [](unsigned char c) { return absl::ascii_isgraph(c); })) {
    return token;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "token file \"", file, "\": want one token of ", kTokenBytesMin, " to ",
      kTokenBytesMax,
      " visible ASCII characters; to make one: openssl rand -hex 32"));
}

absl::StatusOr<Token> Token::Load(const std::string& file) {
  const absl::StatusOr<Secret> text = ReadToken(file);
  if (!text.ok()) return text.status();
  Token token;
  token.digest_ = DigestOf(text->text());
  return token;
}

bool Token::Matches(absl::string_view authorization) const {
  constexpr absl::string_view kScheme = "Bearer ";
  if (!absl::StartsWithIgnoreCase(authorization, kScheme)) return false;
  const Digest claimed = DigestOf(
      absl::StripAsciiWhitespace(authorization.substr(kScheme.size())));
  return CRYPTO_memcmp(claimed.data(), digest_.data(), digest_.size()) == 0;
}

Token::Digest Token::DigestOf(absl::string_view text) {
  Digest digest;
  CLUSTER_CHECK(EVP_Digest(text.data(), text.size(), digest.data(), nullptr,
                           EVP_sha256(), nullptr) == 1,
                "OpenSSL has no SHA-256");
  return digest;
}

}  // namespace cluster::internal
