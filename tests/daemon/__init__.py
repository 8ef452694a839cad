"""Tests of the daemon: real processes, real sockets, callers that misbehave."""
