#!/bin/sh
# keygen makes the right files with the right modes, and refuses bad requests.
set -eu

fail() {
  echo "FAILED: $1" >&2
  exit 1
}

expect_mode() {
  mode=$(stat -c %a "$2")
  [ "$mode" = "$1" ] || fail "$2 has mode $mode, want $1"
}

folder=$(mktemp -d "${TEST_TMPDIR:-/tmp}/keygen.XXXXXX")
trap 'rm -rf "$folder"' EXIT
umask 0 # so that keygen itself decides every mode
cp configs/secure.json "$folder/cluster.json"
keygen() {
  programs/keygen/keygen "--config=$folder/cluster.json" "--out=$folder/keys" "$@"
}

keygen >"$folder/said"
for id in 1 2 3; do
  expect_mode 700 "$folder/keys/$id"
  expect_mode 600 "$folder/keys/$id/zmq.secret"
  expect_mode 600 "$folder/keys/$id/tls.key"
  for file in zmq.public tls.crt; do
    expect_mode 644 "$folder/keys/public/$id/$file"
    cmp "$folder/keys/$id/$file" "$folder/keys/public/$id/$file" || fail "$file differs"
  done
  grep -q "$folder/keys/$id  to server $id only" "$folder/said" || fail "no word on server $id"
  # A private key in the output could end up in a log.
  if grep -qF "$(cat "$folder/keys/$id/zmq.secret")" "$folder/said"; then fail "a key was printed"; fi
  grep -q "BEGIN CERTIFICATE" "$folder/keys/$id/tls.crt" || fail "no certificate"
  grep -q "BEGIN PRIVATE KEY" "$folder/keys/$id/tls.key" || fail "no key"
done
grep -q 'The config names these folders already\.' "$folder/said" || fail "$(cat "$folder/said")"
git -C "$folder" init -q 2>/dev/null && git -C "$folder" add -A
for file in $(git -C "$folder" ls-files); do
  case $file in
  cluster.json | said | keys/.gitignore | keys/public/*) ;;
  *) fail "git would take $file" ;;
  esac
done
rm -rf "$folder/.git"
[ "$(ls "$folder/keys")" = "1
2
3
public" ] || fail "more or less than was asked for: $(ls "$folder/keys")"
[ "$(cat "$folder"/keys/?/zmq.secret | sort -u | wc -l)" = 3 ] || fail "servers share a key"

# It replaces nothing without --force, not even if only one file exists.
before=$(cat "$folder/keys/2/zmq.secret")
rm -r "$folder/keys/1" "$folder/keys/3" "$folder/keys/public"
if keygen 2>"$folder/said"; then fail "it replaced keys"; fi
grep -q "keys/2/zmq.secret: is there already" "$folder/said" || fail "$(cat "$folder/said")"
[ ! -e "$folder/keys/1" ] || fail "it wrote before it refused"
[ "$(cat "$folder/keys/2/zmq.secret")" = "$before" ] || fail "it replaced a key"

# --ids and --force: new keys for some servers.
keygen --force --ids=1,3 >"$folder/said"
[ "$(cat "$folder/keys/2/zmq.secret")" = "$before" ] || fail "--ids=1,3 replaced server 2's"
keygen --force --ids=2 >"$folder/said"
[ "$(cat "$folder/keys/2/zmq.secret")" != "$before" ] || fail "--force replaced nothing"
expect_mode 600 "$folder/keys/2/zmq.secret"

# Files of the earlier names count as keys, and new keys replace them.
mv "$folder/keys/2/tls.key" "$folder/keys/2/nng.key"
mv "$folder/keys/2/tls.crt" "$folder/keys/2/nng.crt"
rm "$folder/keys/2/"zmq.*
rm -r "$folder/keys/public/2"
if keygen --ids=2 2>"$folder/said"; then fail "it replaced a key of the earlier name"; fi
grep -q "keys/2/nng.key: is there already" "$folder/said" || fail "$(cat "$folder/said")"
keygen --force --ids=2 >"$folder/said"
[ -e "$folder/keys/2/tls.key" ] || fail "no new key"
[ ! -e "$folder/keys/2/nng.key" ] && [ ! -e "$folder/keys/2/nng.crt" ] || fail "the old key is still there"

# A full disk leaves nothing of a new set, and nothing changed of an old one. The limit of a file's
# size, in 512 bytes, lets keys pass and stops certificates. The thread sanitizer would write a file
# of its own to TMPDIR.
(
  trap '' XFSZ
  export TMPDIR=/nowhere
  ulimit -f 1
  ! programs/keygen/keygen "--config=$folder/cluster.json" "--out=$folder/full" 2>&1
) | grep "full/1/tls.crt: cannot write: File too large; no key was changed" >/dev/null || fail "no word on the full disk"
[ ! -e "$folder/full" ] || fail "half a set is there: $(find "$folder/full")"
before=$(cd "$folder/keys" && find . -type f | sort | xargs sha256sum)
(
  trap '' XFSZ
  export TMPDIR=/nowhere
  ulimit -f 1
  keygen --force >/dev/null 2>&1
) && fail "it did not notice the full disk"
[ "$(cd "$folder/keys" && find . -type f | sort | xargs sha256sum)" = "$before" ] || fail "it changed half a set"
keygen --force >"$folder/said"

# The advice follows --out.
advises() {
  (cd "$folder" && "$keygen" --config=cluster.json --force "$1" | grep -F "$2" >/dev/null) || fail "$1: want $2"
}
keygen=$PWD/programs/keygen/keygen
mkdir "$folder/other"
advises --out=other/keys '"identity": "other/keys/{id}", "peers": "other/keys/public"}'
advises --out=./keys 'The config names these folders already.'
advises "--out=$folder/keys/" 'The config names these folders already.'
advises --out=../elsewhere "\"identity\": \"$(dirname "$folder")/elsewhere/{id}\""
rm -r "$(dirname "$folder")/elsewhere"

expect_usage() {
  want=$1
  shift
  code=0
  keygen "$@" >/dev/null 2>"$folder/said" || code=$?
  [ "$code" = 2 ] || fail "$*: exit code $code, want 2"
  grep -q "^keygen: $want" "$folder/said" || fail "$(cat "$folder/said")"
}
expect_usage "--ids: the config has no server 4; known: 1, 2, 3" --ids=4
expect_usage "--ids: the config has no server x; known: 1, 2, 3" --ids=2,x
expect_usage "--ids: found 2 twice, want every server once" --ids=2,2
expect_usage "--ids: want servers" --ids=
expect_usage "--days=0: want 1 to 36500" --days=0
expect_usage "--days=x: want an integer" --days=x
expect_usage "want no argument, found 'more'" more
expect_usage "no flag --dasy; did you mean \"days\"?; --help lists them" --dasy=3
expect_usage "want --config=FILE and --out=DIR" --out=
code=0
keygen --force >/dev/full 2>"$folder/said" || code=$?
[ "$code" = 1 ] || fail "exit code $code after advice that nobody got"
grep -q "^keygen: cannot write standard output: No space left" "$folder/said" || fail "$(cat "$folder/said")"
echo "all as it should be"
