#!/bin/bash
# tools/release.sh --check takes a tree that is ready for a release, and names what is not.
set -euo pipefail

tree=$TEST_TMPDIR/tree
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 HOME=$TEST_TMPDIR
mkdir -p "$tree/tools" "$tree/cluster"
cp tools/release.sh "$tree/tools"
cp cluster/version.h "$tree/cluster"
cd "$tree"
version=$(sed -n 's/.*kVersion\[\] = "\(.*\)".*/\1/p' cluster/version.h)
printf '# Changelog\n\n## %s\n\n## 0.1.0\n' "$version" >CHANGELOG.md
printf 'module(\n    name = "cluster",\n    version = "%s",\n)\n' "$version" >MODULE.bazel
git init -q .

commit() {
  git add -A
  git -c user.name=test -c user.email=test@localhost commit -qm "$1"
}
fail() {
  echo "$*" >&2
  exit 1
}
# refused TEXT: the check fails and says so.
refused() {
  ! tools/release.sh --check >"$TEST_TMPDIR/said" 2>&1 || fail "not refused: $1"
  grep -qF "$1" "$TEST_TMPDIR/said" || fail "no word of '$1': $(cat "$TEST_TMPDIR/said")"
}
# with FILE COMMAND TEXT: after this edit with sed the check fails with that text.
with() {
  sed -i "$2" "$1"
  commit edit
  refused "$3"
  git reset -q --hard HEAD~1
}

commit ready
[ "$(tools/release.sh --check)" = "ready to release $version" ] || fail "not ready"
with CHANGELOG.md "s/^## $version/## Unreleased/" "CHANGELOG.md begins with '## Unreleased', want '## $version'"
with cluster/version.h 's/kVersionPatch = .*;/kVersionPatch = 77;/' "the numbers are ${version%.*}.77"
with MODULE.bazel 's/version = .*/version = "7.7.7",/' "MODULE.bazel has version 7.7.7, want $version"
touch more
refused "changes that are not committed"
