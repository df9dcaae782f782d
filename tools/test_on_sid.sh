#!/bin/bash
# Builds and tests the tree on Debian sid: Bazel 7 and the newest compiler and libraries. Needs root,
# mmdebstrap and about 5 GiB.
#
#   tools/test_on_sid.sh FOLDER               everything, hours on a new machine
#   tools/test_on_sid.sh FOLDER TARGET...     these targets, and the rest as with everything
#
# FOLDER becomes, or already is, the root of a sid system; remove it to begin anew. The mirror is
# the one that apt uses here. What runs there:
#
#   1. bazel build and bazel test of the targets (//... if none are named) without the tag debian12
#   2. examples/workspace and tests/workspace, as modules that depend on the library
#   3. a node of this system against a node of sid, both ways over each transport
set -euo pipefail

if [ $# -lt 1 ]; then
  echo "usage: tools/test_on_sid.sh FOLDER [TARGET...]" >&2
  exit 2
fi
mkdir -p "$1"
root=$(cd "$1" && pwd)
shift
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ $# -gt 0 ] || set -- //...

die() {
  echo "tools/test_on_sid.sh: $*" >&2
  exit 1
}

# The site from which apt gets Debian itself, rather than its security updates.
mirror() {
  # shellcheck disable=SC2016  # apt puts the values in
  apt-get indextargets --format '$(REPO_URI) $(LABEL)' 'Created-By: Packages' 'Component: main' |
    awk '$2 == "Debian" && NF == 2 { print $1; exit }'
}

make_root() {
  local site packages
  command -v mmdebstrap >/dev/null || die "install mmdebstrap"
  site=$(mirror)
  [ -n "$site" ] || die "apt has no list of Debian's main component: run apt-get update"
  # The list that tools/setup.sh installs.
  eval "$(sed -n '/^packages="/,/^"/p' tools/setup.sh)"
  # Snapshots of sid are out of date by their own account.
  mmdebstrap --variant=apt --mode=root --include="$packages" \
    --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='APT::Install-Recommends "false"' \
    sid "$root" "$site"
}

# in_sid FOLDER COMMAND...: runs the command in a folder of the sid system, which sees $shared under
# its own name; with in_place=exec instead of this shell.
in_place=''
in_sid() {
  local folder=$1
  shift
  # shellcheck disable=SC2016  # the inner shell has the values
  $in_place unshare --mount --propagation private bash -c '
    root=$1 shared=$2 folder=$3
    shift 3
    mkdir -p "$root$shared"
    mount --rbind /proc "$root/proc"
    mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    mount --bind "$shared" "$root$shared"
    exec chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
      TMPDIR="$shared" bash -c "cd \"\$0\" && exec \"\$@\"" "$folder" "$@"
  ' in_sid "$root" "$shared" "$folder" "$@"
}

# sid_bazel FOLDER COMMAND ARGUMENT...: Bazel in a folder of the copy. A chroot has no sandbox.
sid_bazel() {
  local folder=$1 command=$2
  shift 2
  in_sid "/cluster/$folder" bazel "$command" --config=offline --spawn_strategy=local \
    --disk_cache=/var/cache/bazel-disk "$@"
}

shared=$(mktemp -d)
trap 'in_sid /cluster bazel shutdown || true; rm -rf "$shared"' EXIT

[ -x "$root/usr/bin/bazel" ] || make_root
git ls-files -z >"$shared/files"
mkdir -p "$root/cluster"
# What git has no more is removed; Bazel's links and outputs stay.
(cd "$root/cluster" && find . -type f -not -path './bazel-*' -delete)
tar --null --ignore-failed-read -cf - -T "$shared/files" | tar -xf - -C "$root/cluster"

# Without a sandbox a compiler finds headers where an earlier build left them.
for folder in . examples/workspace tests/workspace; do
  in_sid "/cluster/$folder" bazel clean
done
# Sid's headers of some libraries are no C++.
filters=(--build_tag_filters=-debian12 --test_tag_filters=-debian12)
sid_bazel . build --keep_going "${filters[@]}" "$@"
sid_bazel . test --keep_going "${filters[@]}" "$@"
sid_bazel examples/workspace run //:hello
sid_bazel tests/workspace test //...
for folder in examples/workspace tests/workspace; do
  in_sid "/cluster/$folder" bazel shutdown
done

sid_bazel . build //programs:node
bazel build //programs:node
cp -L bazel-bin/programs/node "$shared/node"
cat >"$shared/sid_node" <<END
#!/bin/bash
$(declare -f in_sid)
root='$root' shared='$shared' in_place=exec
in_sid / /cluster/bazel-bin/programs/node "\$@"
END
chmod +x "$shared/sid_node"
TMPDIR="$shared" PYTHONPATH=. tests/interop/two_builds.py "$shared/node" "$shared/sid_node"
