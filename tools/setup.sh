#!/bin/sh
# Installs what building and testing need. Quick and silent when all of it is there.
set -eu

packages="
  bazel-bootstrap g++ pkg-config clang clang-format clang-tidy libclang-rt-14-dev
  libzmq3-dev cppzmq-dev libnng-dev libabsl-dev rapidjson-dev libisal-dev
  libgtest-dev libgmock-dev libbenchmark-dev
  python3 python3-zmq iproute2
"

installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  cat >&2 <<END
tools/setup.sh knows Debian's packages only. On this system, install by hand:
  bazel 4.2 or later 4.x, g++ 12 or clang 14 or later, pkg-config, python3 with pyzmq, iproute2
  and, with headers below /usr/include: libzmq 4.3, cppzmq 4.9, nng 1.5, abseil 20220623,
  RapidJSON 1.1, ISA-L 2.30, GoogleTest and GoogleMock 1.12, Google Benchmark 1.7
END
  exit 1
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
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086  # the lists are words on purpose
if ! $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1; then
  $sudo apt-get update -qq
  $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
