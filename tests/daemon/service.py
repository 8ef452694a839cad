"""`ipam serve` as a process of the test's own, and calls made straight to its socket."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from ipam import frame
from ipam.launcher.compile import compile_launcher

PATIENCE = 60.0
"""Seconds after which a test is stuck."""

# The product has no options for its deadlines: tests set the constants before they start it.
START = """\
import sys
from importlib import import_module
for setting in sys.argv[1].split():
    name, _, value = setting.partition("=")
    module, _, constant = name.rpartition(".")
    setattr(import_module(module), constant, int(value) if value.isdigit() else float(value))
from ipam.daemon.__main__ import main
main(sys.argv[2:])
"""


class Service:
    """The daemon on `socket`, within `with`. `settings`: constants of our modules, as `ipam.module.NAME`: a number.

    It is waited for until it says that it is ready, unless `env` has another NOTIFY_SOCKET to say it to. At the
    end it is told to stop, and has to end well within PATIENCE. What it wrote is in `said()`. `arguments` come
    after the socket's path.
    """

    def __init__(
        self,
        socket: Path,
        *,
        settings: Mapping[str, float] | None = None,
        env: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        arguments: Sequence[str] = (),
    ) -> None:
        self.socket = socket
        self._settings = " ".join(f"{name}={value}" for name, value in (settings or {}).items())
        self._env = env or {}
        self._prefix = list(prefix)
        self._arguments = list(arguments)
        self._log = socket.with_name(f"{socket.name}.log")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The daemon's process; where there is a prefix (strace), that of the prefix."""
        assert self.process is not None
        return self.process.pid

    def said(self) -> str:
        """Everything that it has written so far."""
        return self._log.read_text()

    def start(self) -> None:
        """Start it, for the first time or again."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified, self._log.open("ab") as log:
            address = self.socket.with_name(f"{self.socket.name}.notify")
            address.unlink(missing_ok=True)
            notified.bind(str(address))
            notified.settimeout(0.1)
            main = ["-c", START, self._settings] if self._settings else ["-m", "ipam.cli", "serve", "--socket"]
            self.process = subprocess.Popen(
                [*self._prefix, sys.executable, *main, str(self.socket), *self._arguments],
                env={"PATH": os.defpath, "NOTIFY_SOCKET": str(address), **self._env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            while "NOTIFY_SOCKET" not in self._env and not _is_told(notified):
                assert self.process.poll() is None, self.said()

    def stop(self) -> int:
        """SIGTERM (as systemd would), and the exit status."""
        assert self.process is not None
        self.process.terminate()
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()

    def kill(self) -> None:
        """SIGKILL: it ends as it stands."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        status = self.stop()
        assert error is not None or (status, "Traceback" in self.said()) == (0, False), self.said()


def _is_told(notified: socket.socket) -> bool:
    try:
        return notified.recv(4096) == b"READY=1"
    except TimeoutError:
        return False


class Client:
    """One connection to a daemon, which a test can break off where it likes."""

    def __init__(self, place: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE)
        try:
            self.socket.connect(str(place))
        except OSError:
            self.socket.close()
            raise

    def send(self, env: Mapping[str, str], stdin: bytes = b"") -> Self:
        """The whole request."""
        self.socket.sendall(frame.encode_request(env, stdin))
        return self

    def receive(self) -> tuple[int, bytes, bytes]:
        """Exit status, stdout, stderr. Raises ConnectionError where the daemon closes without an answer."""
        prefix = self._exactly(frame.PREFIX)
        _, status, stdout, stderr = frame.decode_reply(self._exactly(frame.payload_length(prefix, frame.REPLY_LIMIT)))
        return status, stdout, stderr

    def is_dropped(self) -> bool:
        """Whether the daemon closes the connection, and says nothing before it does."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        """Close it, whatever the daemon had in mind."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _exactly(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            part = self.socket.recv(length - len(data))
            if not part:
                raise ConnectionResetError("the daemon closed")
            data += part
        return data


def ask(place: Path, env: Mapping[str, str], stdin: bytes = b"") -> tuple[int, bytes, bytes]:
    """One call without a launcher: exit status, stdout, stderr."""
    with Client(place) as client:
        return client.send(env, stdin).receive()


def listens(place: Path) -> bool:
    """Whether somebody takes connections there: a socket has its name a moment before that."""
    try:
        Client(place).close()
    except OSError:
        return False
    return True


def put_launcher(directory: Path, socket: Path, one_shot: Path) -> Path:
    """A launcher as for production, bound to `socket`, with its one-shot beside it; its path."""
    kept = directory / ".ipam"
    kept.mkdir(parents=True)
    shutil.copy(one_shot, kept / "host-local.oneshot")
    compile_launcher(directory / "host-local", socket=str(socket))
    return directory / "host-local"


def until(fact: str, holds: Callable[[], bool]) -> None:
    """Wait for something that happens soon."""
    stuck = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < stuck, f"never: {fact}"
        time.sleep(0.005)


def start_call(plugin: Path, env: Mapping[str, str], stdin: bytes) -> subprocess.Popen[bytes]:
    """One call of an executable, which has its config and is not waited for."""
    pipe = subprocess.PIPE
    call = subprocess.Popen([plugin], env=dict(env), stdin=pipe, stdout=pipe, stderr=pipe)
    assert call.stdin is not None
    call.stdin.write(stdin)
    call.stdin.close()
    call.stdin = None
    return call
