// The version of the library.
//
// CHANGELOG.md says what each version changes. The programs print it for --version. Servers of
// different versions talk to each other as docs/wire-format.md says; this number is not on the wire.

#ifndef CLUSTER_VERSION_H_
#define CLUSTER_VERSION_H_

namespace cluster {

inline constexpr int kVersionMajor = 0;
inline constexpr int kVersionMinor = 2;
inline constexpr int kVersionPatch = 0;
inline constexpr char kVersion[] = "0.2.0";

}  // namespace cluster

#endif  // CLUSTER_VERSION_H_
