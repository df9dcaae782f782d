// The version of the library.
//
// CHANGELOG.md lists the changes. Programs print the version for --version. It is
// not on the wire; docs/wire-format.md says how different versions talk.

#ifndef CLUSTER_VERSION_H_
#define CLUSTER_VERSION_H_

namespace cluster {

inline constexpr int kVersionMajor = 0;
inline constexpr int kVersionMinor = 3;
inline constexpr int kVersionPatch = 0;
inline constexpr char kVersion[] = "0.3.0";

}  // namespace cluster

#endif  // CLUSTER_VERSION_H_
