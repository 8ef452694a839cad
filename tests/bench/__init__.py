"""`python -m tests.bench`: our plugin beside Debian's Go host-local, interleaved in one run."""
