"""What the daemon says on stderr. Nobody waits for whoever reads that."""

from __future__ import annotations

import os
import select

_STDERR = 2


def say(text: str) -> None:
    """Write lines. What is not taken at once is dropped: a log that is stuck must not keep callers waiting."""
    data = text.encode("utf-8", "backslashreplace")
    room = select.poll()
    room.register(_STDERR, select.POLLOUT)
    try:
        # A pipe that has room takes so much without blocking; of more, a part could.
        for start in range(0, len(data), select.PIPE_BUF):
            if not room.poll(0):
                return
            os.write(_STDERR, data[start : start + select.PIPE_BUF])
    except OSError:
        return  # whoever read it has gone; the callers have not
