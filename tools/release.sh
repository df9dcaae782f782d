#!/bin/bash
# Makes the files of a release from the commit that is checked out: the source tarball, the Debian
# packages built from that tarball, and their checksums.
#
#   tools/release.sh --check    only whether all places name one version and the changelog is ready
#   tools/release.sh FOLDER     checks, then makes the files in FOLDER
#
# docs/compatibility.md says which number to raise. Run tools/check_all, tools/check_packaging and
# tools/check_debs FOLDER before you publish.
set -euo pipefail

usage() {
  sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
  exit 2
}
[ $# -eq 1 ] || usage
case $1 in
  --check) out='' ;;
  -*) usage ;;
  *) out=$(realpath -m "$1") ;;
esac
cd "$(dirname "${BASH_SOURCE[0]}")/.."

errors=0
wrong() {
  printf 'release.sh: %s\n' "$*" >&2
  errors=$((errors + 1))
}

# version.h is where CMake reads it, and with it cluster.pc, ClusterConfig and the packages.
version=$(sed -n 's/.*kVersion\[\] = "\(.*\)".*/\1/p' cluster/version.h)
numbers=$(sed -n 's/.*kVersion\(Major\|Minor\|Patch\) = \([0-9]*\);/\2/p' cluster/version.h | paste -sd.)
[ "$numbers" = "$version" ] || wrong "cluster/version.h: the text is $version, the numbers are $numbers"
heading=$(grep -m1 '^## ' CHANGELOG.md)
case $heading in
  "## $version" | "## $version "*) ;;
  *) wrong "CHANGELOG.md begins with '$heading', want '## $version'" ;;
esac
if [ -f MODULE.bazel ]; then
  found=$(sed -n '/^module(/,/^)/s/.*version = "\(.*\)".*/\1/p' MODULE.bazel)
  [ "$found" = "$version" ] || wrong "MODULE.bazel has version $found, want $version"
fi
if [ -n "$(git status --porcelain)" ]; then
  wrong "the tree has changes that are not committed: git status"
fi
[ "$errors" -eq 0 ] || exit 1
if [ -z "$out" ]; then
  echo "ready to release $version"
  exit 0
fi

name=cluster-$version
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
# The same commit gives the same bytes.
git archive --format=tar --prefix="$name/" HEAD | gzip -9n >"$out/$name.tar.gz"
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

tar -C "$work" -xzf "$out/$name.tar.gz"
"$work/$name/tools/make_debs.sh" "$work/debs"
for deb in "$work"/debs/*.deb; do
  [ "$(dpkg-deb -f "$deb" Version)" = "$version-1" ] || {
    wrong "$deb is of another version"
    exit 1
  }
done
mv "$work"/debs/*.deb "$out"
(cd "$out" && sha256sum "$name.tar.gz" ./*"_$version-1_"*.deb | sed 's# \./# #' >SHA256SUMS)
cat <<END
$out has $name.tar.gz, the packages and SHA256SUMS.

Next: tag the commit v$version, and add its line to CHANGELOG.md, for tools/build_release:

    Commit \`$(git rev-parse HEAD)\`.
END
