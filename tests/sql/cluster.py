"""A PostgreSQL server of the test run's own: Debian's, in a temporary cluster, on a unix socket."""

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

BIN_DIRS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
USER = "postgres"
PATIENCE = 60.0
_TEMPLATE = "ready"


class Cluster:
    """The server, within `with`. It may be killed and started again; at the end all of it is removed."""

    def __init__(self, *settings: str, address: str = "", within: Sequence[str] = ()) -> None:
        """`settings`: lines as they stand in postgresql.conf.

        `address` is one to listen at too, for everybody there; `within` stands before the server's command line.
        """
        self._settings = settings
        self._address = address
        self._within = list(within)
        self._bin = BIN_DIRS[0]
        self._numbers = itertools.count()
        self._process: subprocess.Popen[bytes] | None = None
        self.directory = Path()

    def __enter__(self) -> Self:
        self.directory = Path(tempfile.mkdtemp(prefix="ipam-pg-"))
        try:
            if os.geteuid() == 0:
                user = pwd.getpwnam(USER)
                os.chown(self.directory, user.pw_uid, user.pw_gid)
            self._run(
                "initdb", "-D", str(self._data), "-U", "ipam", "-A", "trust", "-N", "-E", "UTF8", "--locale=C.UTF-8"
            )
            settings = [
                f"listen_addresses = '{self._address}'",
                f"unix_socket_directories = '{self.directory}'",
                *self._settings,
            ]
            with (self._data / "postgresql.conf").open("a") as file:
                file.write("\n".join([*settings, ""]))
            if self._address:
                with (self._data / "pg_hba.conf").open("a") as file:
                    file.write("host all all all trust\n")
            self.start()
        except BaseException:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    @property
    def pid(self) -> int:
        """The process that all others of the server come from."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, for the first time or again; return when it answers."""
        with (self.directory / "log").open("ab") as log:
            user = [] if os.geteuid() else ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
            server = [str(self._bin / "postgres"), "-D", str(self._data)]
            self._process = subprocess.Popen([*self._within, *user, *server], stdout=log, stderr=log)
        stuck = time.monotonic() + PATIENCE
        while self._ask("pg_isready", "-q", "-h", str(self.directory)).returncode:
            assert self._process.poll() is None, (self.directory / "log").read_text()
            assert time.monotonic() < stuck, "PostgreSQL does not start"
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL to all of its processes, as if the machine had lost them."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        for pid in [self.pid, *map(int, children)]:
            os.kill(pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait()
        for pid in map(int, children):
            while Path(f"/proc/{pid}").exists() and _state(pid) != "Z":
                time.sleep(0.01)

    def stop(self) -> None:
        """End it at once, orderly."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(PATIENCE)

    def sql(self, text: str, database: str = "postgres") -> str:
        """What psql prints for a statement, without headings."""
        done = self._ask("psql", "-h", str(self.directory), "-U", "ipam", "-d", database, "-qAtX", "-c", text)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def remote(self, url: str) -> str:
        """The same store over the network."""
        return url.replace("@/", f"@{self._address}/").partition("?")[0]

    def url(self, database: str) -> str:
        """The URL of the store in a database."""
        return f"postgresql+psycopg://ipam@/{database}?host={self.directory}"

    def empty(self) -> str:
        """The URL of a new database without a schema."""
        name = f"empty{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name}")
        return self.url(name)

    def store(self) -> str:
        """The URL of a new store: with a schema, and nothing else."""
        if not self.sql(f"SELECT 1 FROM pg_database WHERE datname = '{_TEMPLATE}'"):
            from backends.sql import open_database
            from ipam.model import Host, StoreConfig

            self.sql(f"CREATE DATABASE {_TEMPLATE}")
            database = open_database(StoreConfig(self.url(_TEMPLATE)), Host("template", "", time.time))
            database.upgrade()
            database.close()
        name = f"store{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        return self.url(name)

    def _run(self, *argv: str) -> None:
        done = self._ask(*argv)
        assert done.returncode == 0, done.stdout + done.stderr

    def _ask(self, program: str, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self._bin / program), *argv], capture_output=True, text=True, check=False, cwd="/", **self._as_user()
        )

    @staticmethod
    def _as_user() -> dict[str, str]:
        """Root may not run it: its own user does."""
        return {"user": USER, "group": USER} if os.geteuid() == 0 else {}


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


def is_installed() -> bool:
    """Whether there is a server that can be run here."""
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return False
    return bool(BIN_DIRS)
