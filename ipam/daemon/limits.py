"""How many callers there is room for."""

from __future__ import annotations

import resource
from errno import EMFILE, ENFILE, ENOBUFS, ENOMEM

MOST_CONNECTIONS = 4096
NO_ROOM = (EMFILE, ENFILE, ENOBUFS, ENOMEM)
"""Errors of accept(2) that mean that there is none for another caller just now."""

_OTHER_FILES = 1024  # that stores may have open at once


def room_for_connections() -> int:
    """How many connections there can be; raises the limit on open files as far as that is allowed."""
    files, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + _OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if files != resource.RLIM_INFINITY and files < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except OSError:  # a sandbox may forbid it
            wanted = files
    return min(MOST_CONNECTIONS, max(wanted - _OTHER_FILES, wanted // 2))
