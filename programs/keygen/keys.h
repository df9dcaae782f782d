// Keys: makes the key files of a cluster's servers, for both backends.
//
// CURVE keys come from libzmq; EC P-256 keys and self-signed certificates from
// OpenSSL. docs/security.md describes the folders. There is no authority: each
// server trusts just the public files that it is given.
//
// One thread. Secrets are wiped from memory once they are written.
// kAlreadyExists means that a file exists and may not be replaced; then nothing
// was written. Other errors are the system's. No text holds a key.
//
//   KeyRequest request;
//   request.cluster = "demo";
//   request.server_ids = {1, 2, 3};
//   request.folder = "keys";
//   absl::Status status = MakeKeys(request);  // keys/1, keys/public/1, ...

#ifndef PROGRAMS_KEYGEN_KEYS_H_
#define PROGRAMS_KEYGEN_KEYS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace cluster {

struct KeyRequest {
  std::string cluster;          // its name goes into the certificates
  std::vector<int> server_ids;  // each once
  std::string folder;           // made if it is not there
  int validity_days = 365;      // of the certificates, from `starts_days_ago`
  int starts_days_ago = 1;      // for peers whose clocks are behind
  bool replace = false;         // files that are there
};

// Makes `folder`/<id>/ with the private files and the own public ones, and
// `folder`/public/<id>/ with the public ones.
absl::Status MakeKeys(const KeyRequest& request);

}  // namespace cluster

#endif  // PROGRAMS_KEYGEN_KEYS_H_
