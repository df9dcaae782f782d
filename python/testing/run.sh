#!/bin/sh
# Runs a test in Python. TEST_PRELOAD names the runtime of a sanitizer: libcluster.so needs it, and
# python3, which is built without, does not have it. What python3 itself leaks is not reported.
if [ -n "${TEST_PRELOAD:-}" ]; then
  export LD_PRELOAD="$TEST_PRELOAD"
  export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0"
  export TSAN_OPTIONS="suppressions=python/testing/tsan_suppressions.txt"
fi
exec /usr/bin/python3 "$@"
