// Keys: makes the key files of a cluster's servers, for both backends.
//
// CURVE keys come from libzmq; EC P-256 keys and self-signed certificates from
// OpenSSL. docs/security.md describes the folders. There is no authority: each
// server trusts exactly the public files in its folder.
//
// One thread. It wipes secrets from memory once they are written.
// kAlreadyExists means that a file exists and may not be replaced. Other errors
// are the system's. After an error no file has changed, unless the text names a
// file that could not be renamed. No text holds a key.
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
  std::string folder;           // made if it does not exist
  int validity_days = 365;      // of the certificates, from `starts_days_ago`
  int starts_days_ago = 1;      // for peers whose clocks are behind
  bool replace = false;         // existing files
};

// Makes `folder`/<id>/ with the private and public files of each server, and
// `folder`/public/<id>/ with the public files alone. A .gitignore there leaves
// out all but the public ones.
absl::Status MakeKeys(const KeyRequest& request);

}  // namespace cluster

#endif  // PROGRAMS_KEYGEN_KEYS_H_
