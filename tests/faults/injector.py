"""Runs a plugin with a fault at one chosen system call, by means of strace's fault injection."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ERRORS = ("ENOSPC", "EIO", "EDQUOT", "EROFS", "EMFILE", "EINTR")
# fmt: off
FAILING_CALLS = frozenset((
    "open", "openat", "openat2", "creat", "read", "pread64", "readv", "write", "pwrite64", "writev",
    "close", "link", "linkat", "symlink", "symlinkat", "unlink", "unlinkat", "mkdir", "mkdirat",
    "rmdir", "rename", "renameat", "renameat2", "readlink", "readlinkat", "ftruncate", "fallocate",
    "fsync", "fdatasync", "sync_file_range", "utimensat", "fchmod", "fchmodat", "fchown", "fchownat",
    "flock", "fcntl", "lseek", "getdents64", "stat", "lstat", "fstat", "newfstatat", "statx", "access",
    "faccessat", "faccessat2", "ioctl",
))
# fmt: on
# How often a runtime's threads wait varies from run to run, and a thread that waits changes nothing.
WAITING_CALLS = frozenset(("futex", "nanosleep", "clock_nanosleep", "sched_yield", "epoll_pwait", "restart_syscall"))
KILL_BEFORE_BOUNDARY = 8
DIED = "+++ killed by SIGKILL +++"
LINE = re.compile(r"(?P<thread>\d+) +(?:<\.\.\. \w+ resumed>|(?P<call>\w+)\()?(?P<rest>.*)")


class Point(NamedTuple):
    """The ordinal-th invocation of one system call in a thread, counted as strace does, and its text."""

    call: str
    ordinal: int
    text: str


class Fault(NamedTuple):
    """What happens at a point: without `error` SIGKILL before the call, else `times` calls fail (0: all)."""

    point: Point
    error: str | None = None
    times: int = 1

    @property
    def rule(self) -> str:
        """The strace expression."""
        what = f"error={self.error}" if self.error else "signal=KILL"
        first = self.point.ordinal
        when = {0: f"{first}+", 1: f"{first}"}.get(self.times, f"{first}..{first + self.times - 1}")
        return f"inject={self.point.call}:{what}:when={when}"


class Call(NamedTuple):
    """One line of a trace: thread, system call, and the rest of the line, interrupted lines joined."""

    thread: str
    name: str
    rest: str


class Outcome(NamedTuple):
    """How a run ended. `hit`: the fault took place; `mute`: a write to stdout was made to fail."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    killed: bool = False
    hung: bool = False
    hit: bool = False
    mute: bool = False


def usable() -> bool:
    """Whether strace is here and may trace."""
    if not shutil.which("strace"):
        return False
    probe = subprocess.run(["strace", "-f", "true"], capture_output=True, check=False)
    return probe.returncode == 0


def run(
    argv: list[str], env: dict[str, str], stdin: bytes, *, fault: Fault | None = None, timeout: float = 30
) -> Outcome:
    """Run the plugin, with the fault if there is one; one that hangs is killed after `timeout` seconds."""
    if fault is None:
        return _run(argv, env, stdin, timeout)
    with _trace_file() as trace:
        # Without --seccomp-bpf: with it the signal comes too late, the call is carried out.
        tracer = [
            "strace",
            "-f",
            "-qq",
            "-o",
            str(trace),
            "-e",
            f"trace={fault.point.call}",
            "-e",
            fault.rule,
        ]
        outcome = _run(tracer + argv, env, stdin, timeout)
        text = trace.read_text(errors="replace")
    died = DIED in text and not outcome.hung
    failed = [call for call in calls(text) if call.rest.endswith("(INJECTED)")]
    return outcome._replace(
        killed=died,
        hit=bool(failed) or (fault.error is None and died),
        mute=any(call.name in {"write", "writev"} and call.rest.startswith("1,") for call in failed),
    )


def record(argv: list[str], env: dict[str, str], stdin: bytes) -> tuple[Outcome, list[Call]]:
    """An unharmed run, and every system call that it made."""
    with _trace_file() as trace:
        outcome = _run(["strace", "-f", "-qq", "-o", str(trace), *argv], env, stdin, 60)
        return outcome, list(calls(trace.read_text(errors="replace")))


def calls(trace: str) -> Iterator[Call]:
    """The system calls of a trace, in the order of their beginning or, when interrupted, of their end."""
    begun: dict[str, tuple[str, str]] = {}
    for line in trace.splitlines():
        match = LINE.fullmatch(line)
        if match is None or line.endswith(DIED):
            continue
        thread, rest = match["thread"], match["rest"]
        if match["call"] is None:
            if thread not in begun:
                continue
            name, start = begun.pop(thread)
            rest = start + rest
        else:
            name = match["call"]
        if rest.endswith("<unfinished ...>"):
            begun[thread] = (name, rest.removesuffix("<unfinished ...>"))
        else:
            yield Call(thread, name, rest)
    for thread, (name, rest) in begun.items():
        yield Call(thread, name, rest)


def points(trace: list[Call], directory: Path) -> tuple[list[Point], list[Point]]:
    """The last points of the start-up, and all points of the plugin proper.

    The plugin proper begins with the first call that reads stdin or names the data directory: what fails
    before that is the interpreter's, which no plugin can turn into a CNI error.
    """
    starting: list[Point] = []
    working: list[Point] = []
    seen: Counter[tuple[str, str]] = Counter()
    begun = False
    for call in trace:
        if call.name == "execve":  # what ran before was only the way to the plugin
            starting, working, begun = starting + working, [], False
        seen[call.thread, call.name] += 1
        begun = begun or str(directory) in call.rest or (call.name == "read" and call.rest.startswith("0,"))
        point = Point(call.name, seen[call.thread, call.name], f"{call.name}({call.rest}"[:160])
        if call.name != "execve" and call.name not in WAITING_CALLS:
            (working if begun else starting).append(point)
    return _distinct(starting[-KILL_BEFORE_BOUNDARY:]), _distinct(working)


def _distinct(found: list[Point]) -> list[Point]:
    return list({(point.call, point.ordinal): point for point in reversed(found)}.values())[::-1]


@contextlib.contextmanager
def _trace_file() -> Iterator[Path]:
    handle, name = tempfile.mkstemp(prefix="ipam-trace-")
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink()


def _run(argv: list[str], env: dict[str, str], stdin: bytes, timeout: float) -> Outcome:
    # A session of its own, so that the tracer and the plugin can be ended together.
    with subprocess.Popen(
        argv,
        # strace is looked up in our PATH; it hands the environment on as it is.
        env=env,
        executable=shutil.which(argv[0]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            stdout, stderr = process.communicate(stdin, timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            stdout, stderr = process.communicate()
            return Outcome(process.returncode, stdout, stderr, hung=True)
    return Outcome(process.returncode, stdout, stderr)
