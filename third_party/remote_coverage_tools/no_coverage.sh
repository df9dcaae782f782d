#!/bin/sh
echo "bazel coverage is not supported in this tree" >&2
exit 1
