// KeyPair: what key files hold, judged by OpenSSL.
//
// nng's engine takes any key with any certificate and then fails every
// handshake; and asking it starts all of nng's threads. These functions start
// nothing. They do not judge a certificate's names or dates.
//
// Threads: any. OpenSSL's copy of a key is gone when they return.
//
//   if (!IsPair(key, certificate)) ...

#ifndef TRANSPORT_NNG_KEY_PAIR_H_
#define TRANSPORT_NNG_KEY_PAIR_H_

#include "absl/strings/string_view.h"

namespace cluster {
namespace nng {

// All in PEM. The certificate is the first where there are several.
bool IsPrivateKey(absl::string_view key);
bool IsCertificate(absl::string_view certificate);
// False also for what is no key or no certificate.
bool IsPair(absl::string_view key, absl::string_view certificate);

}  // namespace nng
}  // namespace cluster

#endif  // TRANSPORT_NNG_KEY_PAIR_H_
