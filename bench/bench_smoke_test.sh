#!/bin/sh
# Every case that the documents name exists, and cases of each kind run and report their counters.
# It does not check any speed.

set -eu
cd "$TEST_SRCDIR/$TEST_WORKSPACE/bench"

fail() {
  echo "$1" >&2
  exit 1
}

# require_cases PROGRAM NAME... : the program lists each case by exactly that name.
require_cases() {
  program="$1"
  shift
  "./$program" --benchmark_list_tests > "$TEST_TMPDIR/$program.names"
  for name in "$@"; do
    grep -qx "$name" "$TEST_TMPDIR/$program.names" || fail "$program has no case $name"
  done
}

# run_cases PROGRAM FILTER COUNTER NAME... : each case runs and reports the counter, above zero.
run_cases() {
  program="$1"
  filter="$2"
  counter="$3"
  shift 3
  report="$TEST_TMPDIR/$program.report"
  "./$program" --benchmark_filter="$filter" --benchmark_min_time=0.002 > "$report" ||
    fail "$program --benchmark_filter=$filter failed"
  for name in "$@"; do
    grep "^$name .* $counter=[0-9.]*[1-9]" "$report" > /dev/null ||
      fail "$name did not report $counter: $(cat "$report")"
  done
}

for t in zmq nng tcp; do
  for bytes in 64 1024 65536 1048576; do
    require_cases throughput raw/$t/$bytes batched/$t/$bytes unicast/$t/$bytes receive/$t/$bytes \
      receive_batch/$t/$bytes broadcast3/$t/$bytes raw3/$t/$bytes batched3/$t/$bytes \
      checked/$t/$bytes checked3/$t/$bytes
    require_cases latency raw_rtt/$t/$bytes rtt/$t/$bytes
  done
  require_cases throughput senders4/$t/64 unicast_ipc/$t/64 batched_ipc/$t/64 mesh2/$t/64 \
    mesh4/$t/64 mesh8/$t/64 mesh16/$t/64 mesh32/$t/64 batched_mesh2/$t/64 batched_mesh32/$t/64 \
    called/$t/64 called/$t/1024 called_ipc/$t/64 called_senders4/$t/64 owned/$t/64 idle/$t/32 raw_idle/$t/32
  require_cases latency rtt_receive/$t/64 raw_rtt_pinned/$t/64 rtt_pinned/$t/64 \
    rtt_receive_pinned/$t/64 rtt_under_load/$t rtt_under_bulk/$t
  require_cases throughput unicast_secure/$t/64 unicast_secure/$t/1024 unicast_secure/$t/65536
  require_cases latency rtt_secure/$t/64
  require_cases throughput unicast_wan/$t unicast_wan_window32/$t
done
require_cases throughput encode/64 decode/64 raw_wan/tcp
require_cases latency rtt_spin/tcp/64 thread_hop_pinned raw_rtt_oneway_pinned/zmq/64 raw_rtt_mailbox_pinned/zmq/64

run_cases throughput \
  '^(raw|batched|unicast|receive|receive_batch|broadcast3|raw3|senders4|unicast_ipc|batched_ipc|unicast_secure)/(zmq|nng)/64$' \
  items_per_second \
  raw/zmq/64 raw/nng/64 batched/zmq/64 batched/nng/64 unicast/zmq/64 unicast/nng/64 \
  receive/zmq/64 receive_batch/nng/64 broadcast3/zmq/64 broadcast3/nng/64 raw3/zmq/64 raw3/nng/64 \
  unicast_secure/zmq/64 senders4/zmq/64 unicast_ipc/zmq/64 unicast_ipc/nng/64 batched_ipc/zmq/64 batched_ipc/nng/64
grep -q 'unicast/raw' "$TEST_TMPDIR/throughput.report" || fail "throughput printed no summary"
grep -q '^nng 64 B: unicast / batched .*>= 0.8 *\(yes\|NO\)' "$TEST_TMPDIR/throughput.report" ||
  fail "throughput printed no goals"
run_cases throughput '^(raw|batched|unicast|broadcast3|unicast_ipc|unicast_secure|called|checked3|batched_mesh2)/tcp/64$' \
  items_per_second raw/tcp/64 batched/tcp/64 unicast/tcp/64 broadcast3/tcp/64 unicast_ipc/tcp/64 \
  unicast_secure/tcp/64 called/tcp/64 checked3/tcp/64 batched_mesh2/tcp/64
run_cases throughput '^(unicast/zmq/1048576|batched3/nng/65536|mesh2/nng/64|encode/64|decode/64)$' \
  bytes_per_second unicast/zmq/1048576 batched3/nng/65536 mesh2/nng/64 encode/64 decode/64
run_cases throughput '^(checked|checked3|called|called_ipc|called_senders4|owned|batched_mesh2)/(zmq|nng)/64$' items_per_second \
  checked/zmq/64 checked/nng/64 checked3/zmq/64 checked3/nng/64 called_senders4/zmq/64 \
  called_senders4/nng/64 called/zmq/64 called/nng/64 called_ipc/zmq/64 owned/nng/64 batched_mesh2/zmq/64 batched_mesh2/nng/64
run_cases throughput '^(raw_wan|unicast_wan)/tcp$' bytes_per_second raw_wan/tcp unicast_wan/tcp
run_cases throughput '^idle/(zmq|nng)/32$' bytes_per_peer idle/zmq/32 idle/nng/32
run_cases throughput '^raw_idle/zmq/32$' cpu_percent raw_idle/zmq/32
run_cases latency '^(raw_rtt|rtt|rtt_receive|raw_rtt_pinned|rtt_pinned|rtt_secure|raw_rtt_mailbox_pinned)/(zmq|nng)/64$|^rtt_under_load' \
  p99_us raw_rtt/zmq/64 raw_rtt/nng/64 rtt/zmq/64 rtt/nng/64 rtt_receive/zmq/64 rtt_secure/zmq/64 \
  raw_rtt_pinned/nng/64 rtt_pinned/zmq/64 raw_rtt_mailbox_pinned/zmq/64 rtt_under_load/zmq rtt_under_load/tcp
run_cases latency '^(raw_rtt|rtt|rtt_secure|rtt_spin)/tcp/64$' p99_us raw_rtt/tcp/64 rtt/tcp/64 rtt_secure/tcp/64 rtt_spin/tcp/64
