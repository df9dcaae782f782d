#!/bin/sh
# Every library delivers and answers in every case. It does not check any speed.

set -eu
cd "$TEST_SRCDIR/$TEST_WORKSPACE/bench/peers"

fail() {
  echo "$1" >&2
  exit 1
}

report="$TEST_TMPDIR/report"
./peers --benchmark_min_time=0.002 > "$report" || fail "peers failed"

required=0

# require NAME COUNTER : the case reports the counter, above zero.
require() {
  required=$((required + 1))
  grep "^$1 .* $2=[0-9.]*[1-9]" "$report" > /dev/null || fail "$1 did not report $2: $(cat "$report")"
}

for peer in cluster_zmq cluster_nng cluster_tcp zmq nng tcp tcp_batched grpc grpc_buffered nanomsg caf; do
  for bytes in 64 1024 65536; do
    require "one/$peer/$bytes" bytes_per_second
  done
  require "three/$peer/64" items_per_second
done
for peer in cluster_zmq cluster_nng cluster_tcp zmq nng tcp grpc nanomsg caf; do
  require "rtt/$peer/64" p99_us
done
[ "$(./peers --benchmark_list_tests | wc -l)" -eq "$required" ] || fail "this test lacks a case"
grep -q '^envelopes/s .* / zmq' "$report" || fail "peers printed no table"
