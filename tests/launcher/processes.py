"""Watching a process from outside, and a socket with no room in its queue."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.launcher.daemon import PATIENCE


@contextmanager
def started(command: list[str | Path], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process that does not outlive its test, whatever becomes of that."""
    with subprocess.Popen(command, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def until(fact: Callable[[], bool]) -> None:
    """Wait for something that happens soon. Raises TimeoutError when it does not happen at all."""
    stuck = time.monotonic() + PATIENCE
    while not fact():
        if time.monotonic() > stuck:
            raise TimeoutError
        time.sleep(0.002)


def is_asleep(pid: int) -> bool:
    """Whether a process waits for something."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


@contextmanager
def fill(listener: socket.socket, place: Path) -> Iterator[None]:
    """Listen at `place`, with a queue that others have filled."""
    listener.bind(str(place))
    listener.listen(0)
    waiting = []
    try:
        while True:
            waiting.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            waiting[-1].setblocking(False)
            waiting[-1].connect(str(place))
    except BlockingIOError:
        yield
    finally:
        for each in waiting:
            each.close()
