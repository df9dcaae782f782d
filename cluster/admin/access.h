// The rules of who may ask the admin server. Pure functions.
//
// A token is compared by its digest, so the time tells neither its length nor how
// much of it was right.
//
//   if (!HostAllowed(request.header("Host"), hosts)) ...
//   if (!token.Matches(request.header("Authorization"))) ...

#ifndef CLUSTER_ADMIN_ACCESS_H_
#define CLUSTER_ADMIN_ACCESS_H_

#include <array>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cluster/transport/key_files.h"

namespace cluster::internal {

// Whether only this machine reaches the address, which is well-formed.
bool IsLocal(const std::string& address);

// kFailedPrecondition: other machines reach it, and there is no token.
absl::Status CheckExposure(const std::string& address, bool has_token);

// Whether a Host header is a number, "localhost" or one of the names. A page of
// another site cannot make a browser send these (DNS rebinding).
bool HostAllowed(absl::string_view header,
                 const std::vector<std::string>& hosts);

class Token {
 public:
  // Errors name the file; kInvalidArgument: it holds no good token.
  static absl::StatusOr<Token> Load(const std::string& file);

  // Of an Authorization header.
  bool Matches(absl::string_view authorization) const;

 private:
  using Digest = std::array<unsigned char, 32>;

  static Digest DigestOf(absl::string_view text);

  Digest digest_{};
};

// The token of a file, which only its owner may read.
absl::StatusOr<Secret> ReadToken(const std::string& file);
// A private key and a certificate, named by their paths.
absl::StatusOr<Secret> ReadPrivate(const std::string& file);
absl::StatusOr<std::string> ReadPublic(const std::string& file);

}  // namespace cluster::internal

#endif  // CLUSTER_ADMIN_ACCESS_H_
