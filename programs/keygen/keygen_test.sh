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

if keygen --ids=4 2>"$folder/said"; then fail "it made keys of no server"; fi
grep -q "the config has no server 4; known: 1, 2, 3" "$folder/said" || fail "$(cat "$folder/said")"
echo "all as it should be"
