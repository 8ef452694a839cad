"""Debian's podman with its CNI backend, on a machine of the tests' own with the launcher and its daemon."""
