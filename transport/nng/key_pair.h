// KeyPair: whether a private key and a certificate belong together.
//
// What it is: OpenSSL behind one function, since nng's engine takes any two,
// and then fails every handshake. What it is not: a judge of the certificate.
//
// Threads: any. Ownership: OpenSSL's copy of the key is gone when it returns.
// Errors: none; false also for what is no key or no certificate.
//
//   if (!IsPair(key, certificate)) ...

#ifndef TRANSPORT_NNG_KEY_PAIR_H_
#define TRANSPORT_NNG_KEY_PAIR_H_

#include "absl/strings/string_view.h"

namespace cluster {
namespace nng {

// Both in PEM. The certificate is the first where there are several.
bool IsPair(absl::string_view key, absl::string_view certificate);

}  // namespace nng
}  // namespace cluster

#endif  // TRANSPORT_NNG_KEY_PAIR_H_
