#!/bin/sh
# Builds the library and its programs with CMake, and installs them below PREFIX: headers,
# libcluster.so and libcluster.a, cluster.pc, the CMake package, programs and man pages.
#
#   tools/install.sh /usr/local
#   tools/install.sh /usr --destdir DIR --libdir lib/x86_64-linux-gnu    # for a package
#
#   --destdir DIR   write to DIR/PREFIX what will be used from PREFIX
#   --libdir DIR    the libraries' folder below PREFIX; default: CMake's choice, mostly lib
#   --build DIR     the folder to build in; default: cmake-build in the source tree
#
# CXX, CXXFLAGS and CMAKE_BUILD_PARALLEL_LEVEL work as in any CMake build.
set -eu

usage() {
  sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

tree=$(cd "$(dirname "$0")/.." && pwd)
prefix='' destdir='' libdir='' build=$tree/cmake-build
while [ $# -gt 0 ]; do
  case $1 in
    --destdir | --libdir | --build)
      [ $# -gt 1 ] || usage
      eval "${1#--}=\$2"
      shift
      ;;
    -*) usage ;;
    *)
      [ -z "$prefix" ] || usage
      prefix=$1
      ;;
  esac
  shift
done
[ -n "$prefix" ] || usage
# Absolute, since cluster.pc names it.
case $prefix in /*) ;; *) prefix=$PWD/$prefix ;; esac
case $destdir in '' | /*) ;; *) destdir=$PWD/$destdir ;; esac

# A build folder remembers the last choice.
chosen=-UCMAKE_INSTALL_LIBDIR
[ -z "$libdir" ] || chosen=-DCMAKE_INSTALL_LIBDIR=$libdir
# -O2 as in Bazel's optimised build, which the tests and the published figures are of.
cmake -S "$tree" -B "$build" -DCMAKE_INSTALL_PREFIX="$prefix" \
  -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE='-O2 -DNDEBUG' \
  "$chosen"
cmake --build "$build" --parallel "${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}"
DESTDIR=$destdir cmake --install "$build"
