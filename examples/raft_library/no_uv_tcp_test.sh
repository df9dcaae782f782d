#!/bin/sh
# The program has canonical/raft's storage and not its TCP transport.

set -eu
symbols=$(nm "$TEST_SRCDIR/$TEST_WORKSPACE/examples/raft_library/raft_node")

fail() {
  echo "$1" >&2
  exit 1
}

echo "$symbols" | grep -q ' T raft_uv_init$' || fail "raft_uv_init is not linked: the test is blind"
if echo "$symbols" | grep -E ' (raft_uv_tcp_init|UvTcp[A-Za-z]+)$'; then
  fail "canonical/raft's own TCP is linked"
fi
