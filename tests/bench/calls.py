"""One call of a plugin, as a runtime makes it, and what it cost: from posix_spawn to the last wait."""

import os
import select
import signal
import time
from collections.abc import Sequence
from typing import NamedTuple


class Cost(NamedTuple):
    """Seconds that one call took: on the clock, and of the processors (user and system)."""

    wall: float
    cpu: float


class Answer(NamedTuple):
    """What a call said and what it cost."""

    code: int
    stdout: bytes
    cost: Cost


class Child(NamedTuple):
    """A call under way."""

    pid: int
    stdout: int
    begun: float


def start(argv: list[str], env: dict[str, str], stdin: bytes) -> Child:
    """Spawn a plugin with pipes for stdin (which takes the whole config at once) and stdout."""
    stdin_read, stdin_write = os.pipe()
    stdout_read, stdout_write = os.pipe()
    if os.write(stdin_write, stdin) != len(stdin):
        raise ValueError("the config does not fit into a pipe")
    os.close(stdin_write)
    actions = [
        (os.POSIX_SPAWN_DUP2, stdin_read, 0),
        (os.POSIX_SPAWN_DUP2, stdout_write, 1),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
    ]
    begun = time.perf_counter()
    try:
        pid = os.posix_spawn(argv[0], argv, env, file_actions=actions, setsigdef=[signal.SIGPIPE])
    finally:
        os.close(stdin_read)
        os.close(stdout_write)
    return Child(pid, stdout_read, begun)


def finish(child: Child, said: bytes = b"") -> Answer:
    """Read what is left of the answer, and wait for the process."""
    parts = [said]
    while part := os.read(child.stdout, 65536):
        parts.append(part)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - child.begun
    os.close(child.stdout)
    cost = Cost(wall, usage.ru_utime + usage.ru_stime)
    return Answer(os.waitstatus_to_exitcode(status), b"".join(parts), cost)


def call(argv: list[str], env: dict[str, str], stdin: bytes) -> Answer:
    """One call, alone."""
    return finish(start(argv, env, stdin))


def together(argv: list[str], envs: Sequence[dict[str, str]], stdin: bytes) -> list[Answer]:
    """All calls at once; each is waited for as soon as it closes its stdout, so its own time is known."""
    poll = select.epoll()
    children: dict[int, Child] = {}
    said: dict[int, bytes] = {}
    for env in envs:
        child = start(argv, env, stdin)
        children[child.stdout] = child
        said[child.stdout] = b""
        poll.register(child.stdout, select.EPOLLIN)
    answers = []
    while children:
        for fd, _ in poll.poll():
            if part := os.read(fd, 65536):
                said[fd] += part
            else:
                poll.unregister(fd)
                answers.append(finish(children.pop(fd), said.pop(fd)))
    poll.close()
    return answers


def cpu_of(pid: int) -> float:
    """Seconds of processor time that a running process (a contestant's daemon) has used so far."""
    # clock_getcpuclockid(3): the complement of the pid, shifted, with CPUCLOCK_SCHED (2) in the low bits.
    return time.clock_gettime((~pid << 3) | 2)
