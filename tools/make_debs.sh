#!/bin/bash
# Builds Debian packages for this machine's release and architecture into FOLDER:
#
#   libcluster0     the shared library; the number is that of its ABI
#   libcluster-dev  headers, archive, cluster.pc, the CMake package
#   cluster-tools   cluster-node and cluster-keygen
#   python3-cluster the Python module
#
#   tools/make_debs.sh FOLDER [--build DIR]
#
#   --build DIR   keeps what it compiled there, for the next time
#
# dpkg-shlibdeps finds the dependencies. libcluster0 depends on one release of Abseil, since that is
# in the name of Debian's package: libabsl20220623, say.
set -euo pipefail

usage() {
  sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
  exit 2
}
out='' build=''
while [ $# -gt 0 ]; do
  case $1 in
    --build)
      [ $# -gt 1 ] || usage
      build=$(realpath -m "$2")
      shift
      ;;
    -*) usage ;;
    *) out=$1 ;;
  esac
  shift
done
[ -n "$out" ] || usage
mkdir -p "$out"
out=$(realpath "$out")
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
build=${build:-$work/build}
version=$(sed -n 's/.*kVersion\[\] = "\(.*\)".*/\1/p' cluster/version.h)
abi=$(sed -n 's/^set(CLUSTER_ABI \([0-9]*\))$/\1/p' CMakeLists.txt)
library=libcluster$abi
debian=$version-1
multiarch=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
architecture=$(dpkg-architecture -qDEB_HOST_ARCH)
maintainer="${DEBFULLNAME:-cluster maintainers} <${DEBEMAIL:-maintainers@localhost}>"
# The same commit gives the same packages.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}
export SOURCE_DATE_EPOCH

# Debian's hardening; the paths of this machine stay out.
export DEB_BUILD_MAINT_OPTIONS=hardening=+all
eval "$(dpkg-buildflags --export=sh)"
cmake -S . -B "$build" -DCMAKE_INSTALL_PREFIX=/usr -DCMAKE_INSTALL_LIBDIR="lib/$multiarch" \
  -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE=-DNDEBUG -DCMAKE_SKIP_RPATH=ON \
  -DCMAKE_CXX_FLAGS="${CXXFLAGS} ${CPPFLAGS} -ffile-prefix-map=$build=. -ffile-prefix-map=$PWD=."
cmake --build "$build" --parallel "${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}"

# architecture_of PACKAGE: scripts are for all.
architecture_of() {
  case $1 in
    python3-*) echo all ;;
    *) echo "$architecture" ;;
  esac
}

# stage PACKAGE COMPONENT: its files below $work/debian/PACKAGE.
stage() {
  mkdir -p "$work/debian/$1/DEBIAN"
  DESTDIR=$work/debian/$1 cmake --install "$build" --component "$2" --strip >/dev/null
  find "$work/debian/$1" -name '*.a' -exec strip --strip-debug --enable-deterministic-archives {} +
  local doc=$work/debian/$1/usr/share/doc/$1
  mkdir -p "$doc"
  {
    printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n'
    printf 'Upstream-Name: cluster\n\nFiles: *\nCopyright: The authors of cluster\nLicense: Apache-2.0\n'
    printf ' On Debian systems, the full text is in /usr/share/common-licenses/Apache-2.0.\n'
  } >"$doc/copyright"
  gzip -9nc CHANGELOG.md >"$doc/changelog.gz"
  {
    printf 'cluster (%s) unstable; urgency=medium\n\n  * Release %s.\n\n' "$debian" "$version"
    printf ' -- %s  %s\n' "$maintainer" "$(LC_ALL=C date -uRd "@$SOURCE_DATE_EPOCH")"
  } | gzip -9n >"$doc/changelog.Debian.gz"
  find "$work/debian/$1" -path '*/man/*' -name '*.[0-9]' -exec gzip -9n {} +
}

# shared_libraries PACKAGE FILE...: the packages of the shared libraries that these files need.
shared_libraries() {
  local package=$1
  shift
  # It wants a source package's control file to be there.
  printf 'Source: cluster\n\nPackage: %s\nArchitecture: any\n' "$package" >"$work/debian/control"
  (cd "$work" && dpkg-shlibdeps -O "$@") | sed -n 's/^shlibs:Depends=\(..*\)/\1/p' | grep .
}

# pack PACKAGE SECTION DEPENDS RECOMMENDS SUMMARY TEXT
pack() {
  local root=$work/debian/$1 kind
  kind=$(architecture_of "$1")
  (cd "$root" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum >DEBIAN/md5sums)
  {
    printf 'Package: %s\nSource: cluster\nVersion: %s\nArchitecture: %s\n' "$1" "$debian" "$kind"
    printf 'Maintainer: %s\nSection: %s\nPriority: optional\n' "$maintainer" "$2"
    [ "${1#lib}" = "$1" ] || printf 'Multi-Arch: same\n'
    printf 'Installed-Size: %s\nDepends: %s\n' "$(du -sk --apparent-size "$root/usr" | cut -f1)" "$3"
    [ -z "$4" ] || printf 'Recommends: %s\n' "$4"
    printf 'Description: %s\n' "$5"
    printf '%s\n' "$6" | fold -s -w 75 | sed 's/^/ /; s/ *$//'
  } >"$root/DEBIAN/control"
  find "$root" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
  dpkg-deb --root-owner-group --build "$root" "$out/$1_${debian}_$kind.deb"
}

what="cluster carries envelopes between the servers of a cluster, each exactly once and in order, over \
ZeroMQ or nng. It detects failed peers, bounds its memory, and proves who a peer is."

stage "$library" runtime
so=usr/lib/$multiarch/libcluster.so.$version
printf 'libcluster %s %s (>= %s)\n' "$abi" "$library" "$version" >"$work/debian/$library/DEBIAN/shlibs"
printf 'activate-noawait ldconfig\n' >"$work/debian/$library/DEBIAN/triggers"
depends=$(shared_libraries "$library" "$work/debian/$library/$so")
pack "$library" libs "$depends" "" \
  "peer messaging for consensus systems (shared library)" "$what"

stage libcluster-dev development
pack libcluster-dev libdevel "$library (= $debian), libabsl-dev" \
  "libzmq3-dev, libnng-dev, libisal-dev, libc-ares-dev, libssl-dev" \
  "peer messaging for consensus systems (development)" \
  "$what This package has the headers, the static library, and files for CMake and pkg-config. The \
recommended packages are needed to link the static library."

stage cluster-tools programs
depends=$(shared_libraries cluster-tools "$work"/debian/cluster-tools/usr/bin/*)
pack cluster-tools net "$depends" "" \
  "peer messaging for consensus systems (programs)" \
  "$what This package has cluster-node, one server in a terminal, and cluster-keygen, which makes keys."

stage python3-cluster python
pack python3-cluster python "$library (>= $version), python3 (>= 3.9)" "" \
  "peer messaging for consensus systems (Python 3)" "$what This package has the module cluster."
