// MakeCertificate: an EC P-256 key and a certificate that it signs for itself.
//
// OpenSSL behind one function. The caller stores the key. Thread-safe.
// kInternal where OpenSSL fails.
//
//   absl::StatusOr<KeyAndCertificate> made =
//       MakeCertificate("server-1.demo", 1, 365);

#ifndef PROGRAMS_KEYGEN_CERTIFICATE_H_
#define PROGRAMS_KEYGEN_CERTIFICATE_H_

#include <string>

#include "absl/status/statusor.h"
#include "cluster/transport/key_files.h"

namespace cluster {

// Both in PEM.
struct KeyAndCertificate {
  Secret key;
  std::string certificate;
};

// Valid for `name` alone, from `starts_days_ago` on, for `validity_days`.
absl::StatusOr<KeyAndCertificate> MakeCertificate(const std::string& name,
                                                  int starts_days_ago,
                                                  int validity_days);

}  // namespace cluster

#endif  // PROGRAMS_KEYGEN_CERTIFICATE_H_
