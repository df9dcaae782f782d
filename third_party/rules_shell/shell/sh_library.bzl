"""The part of rules_shell that this tree loads, forwarded to the native rule."""

sh_library = native.sh_library
