"""A new SQLite database: it appears whole, with its schema, or not at all."""

from __future__ import annotations

import _sqlite3
import posix

from backends.directory.files import close, name_bytes
from backends.sql.database import SCHEMA
from backends.sql.file import exists
from backends.sql.generated import TABLES
from ipam.errors import InputOutput


def create_database(path: str) -> None:
    """Make it under another name, then give it its own; where somebody else was faster, theirs stays.

    Raises InputOutput, or an error of the driver's.
    """
    temporary = f"{path}.new.{posix.getpid()}"
    directory = path.rpartition("/")[0] or "/"
    try:
        _remove(temporary)
        close(posix.open(name_bytes(temporary), posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL, 0o600))
        try:
            _fill(temporary)
            if not exists(path):
                _remove_log(path)  # of a file that was removed: it would be taken for the log of this one
            posix.link(name_bytes(temporary), name_bytes(path))
        except FileExistsError:
            return
        finally:
            _remove(temporary)
        fd = posix.open(name_bytes(directory), posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
        posix.fsync(fd)
        close(fd)
    except OSError as error:
        raise InputOutput(f"{path} cannot be made: {error.strerror}", "see to the directory and the disk") from None


def _fill(path: str) -> None:
    connection = _sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("BEGIN")
        for statement in TABLES:
            connection.execute(statement)
        connection.execute("INSERT INTO schema_version (version_num) VALUES (?)", (SCHEMA,))
        connection.execute("COMMIT")
    finally:
        connection.close()


def _remove(path: str) -> None:
    _unlink(path)
    _remove_log(path)


def _remove_log(path: str) -> None:
    for suffix in ("-wal", "-shm", "-journal"):
        _unlink(path + suffix)


def _unlink(path: str) -> None:
    try:
        posix.unlink(name_bytes(path))
    except FileNotFoundError:
        return
