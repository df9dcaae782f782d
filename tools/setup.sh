#!/bin/sh
# Installs the packages for building and testing. Quick and silent if all are installed.
#
#   tools/setup.sh           all that "bazel test //..." needs
#   tools/setup.sh --peers   also the other messaging libraries that //bench:peers measures
set -eu

packages="
  bazel-bootstrap g++ pkg-config cmake make dpkg-dev clang clang-format clang-tidy libclang-rt-dev git
  libzmq3-dev cppzmq-dev libnng-dev libasio-dev libabsl-dev rapidjson-dev libisal-dev
  libssl-dev libc-ares-dev
  libgtest-dev libgmock-dev libbenchmark-dev
  libedit-dev libutf8proc-dev
  libraft-dev libuv1-dev liblz4-dev
  libmicrohttpd-dev prometheus-cpp-dev libcurl4-openssl-dev
  python3 python3-zmq python3-matplotlib iproute2 nftables
"
commands="bazel cmake make g++ clang clang-format clang-tidy git pkg-config python3 ip"
headers="zmq.h zmq.hpp nng/nng.h asio.hpp absl/status/statusor.h rapidjson/reader.h isa-l.h
  openssl/evp.h ares.h
  gtest/gtest.h gmock/gmock.h benchmark/benchmark.h
  histedit.h utf8proc.h raft.h uv.h lz4.h
  microhttpd.h prometheus/text_serializer.h"

case "$*" in
  '') ;;
  --peers)
    packages="$packages libgrpc++-dev libcaf-dev libnanomsg-dev"
    headers="$headers grpcpp/grpcpp.h caf/all.hpp nanomsg/nn.h"
    ;;
  *)
    echo "tools/setup.sh: takes --peers or nothing, not: $*" >&2
    exit 2
    ;;
esac

# On other systems everything may have been installed by hand.
check_by_hand() {
  missing=
  for command in $commands; do
    command -v "$command" >/dev/null || missing="$missing $command"
  done
  for header in $headers; do
    [ -e "/usr/include/$header" ] || missing="$missing /usr/include/$header"
  done
  [ -n "$missing" ] || exit 0
  cat >&2 <<END
tools/setup.sh knows Debian's packages only. On this system, install by hand:
  bazel 4.2 or later 4.x, g++ 12 or clang 14 or later, clang-format and clang-tidy 14, git, pkg-config,
  cmake 3.21 or later, make, python3 with pyzmq and matplotlib, iproute2
  and, with headers below /usr/include: libzmq 4.3, cppzmq 4.9, nng 1.5, Asio 1.22, abseil 20220623,
  RapidJSON 1.1, ISA-L 2.30, OpenSSL 3.0, c-ares 1.18, GoogleTest and GoogleMock 1.12,
  Google Benchmark 1.7, libedit 3.1, utf8proc 2.8, libmicrohttpd 0.9.75, prometheus-cpp 1.0,
  libcurl 7.88, canonical/raft 0.15, libuv 1.44, LZ4 1.9;
  for --peers: gRPC 1.51, CAF 0.17, nanomsg 1.1
Not found:$missing
END
  exit 1
}

installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Waits for another apt, which a new machine often runs, instead of failing at its lock.
install_all() {
  # sudo clears the environment, so the variable follows it.
  # shellcheck disable=SC2086  # the lists are words on purpose
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    -o DPkg::Lock::Timeout=300 $missing >/dev/null
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  check_by_hand
fi

missing=
for package in $packages; do
  installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

sudo=
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || {
    echo "tools/setup.sh: run as root, or install sudo; needed:$missing" >&2
    exit 1
  }
  sudo=sudo
fi
echo "installing:$missing" >&2
# A new machine has no package lists, and an old one has lists that are out of date.
install_all 2>/dev/null || {
  $sudo apt-get update -qq
  install_all
}
