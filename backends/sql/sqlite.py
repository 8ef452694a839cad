"""SQLite through the standard library's driver and generated text: nothing of SQLAlchemy is imported here."""

from __future__ import annotations

import _sqlite3
import posix

from backends.directory.files import name_bytes, unavailable
from backends.sql import file
from backends.sql.database import SCHEMA, Database, Outdated, Session, require_schema, version
from backends.sql.generated import STATEMENTS
from ipam.errors import CniError, InputOutput, TryAgain
from ipam.jsontext import quote
from ipam.store import Busy, Trait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from backends.sql.database import Proof
    from backends.sql.rows import Row, Values

    T = TypeVar("T")

_BUSY, _LOCKED = 5, 6  # sqlite3.h: SQLITE_BUSY, SQLITE_LOCKED; the low byte of every extended code of theirs
_MOST_LOG = 1 << 19  # bytes: the change of a one-shot that makes the log longer empties it; the next one reads it all
_MOST_PAGES = 1000  # of the log, until a process that stays copies them and begins it anew
_AT_ONCE = 512  # rows


_CHANGE = "the leases are as they were; see to the file first"
_LOOK = "see to the file, and who may read it"


class SqliteSession(Session):
    """One connection to the file."""

    def __init__(self, place: str, connection: _sqlite3.Connection, identity: file.Identity | None) -> None:
        self.place = place
        self.connection = connection
        self.identity = identity
        self._patience = -1.0

    def be_patient(self, seconds: float) -> None:
        """Wait for other programs' locks for so long."""
        if seconds != self._patience:
            self._patience = seconds
            self.connection.execute(f"PRAGMA busy_timeout={int(seconds * 1000)}")

    def fetch(self, name: str, values: Values) -> list[Row]:
        """See Session."""
        return self.connection.execute(STATEMENTS[name], values).fetchall()

    def run(self, name: str, values: Values) -> int:
        """See Session."""
        return self.connection.execute(STATEMENTS[name], values).rowcount

    def run_many(self, name: str, rows: list[Values]) -> None:
        """See Session."""
        self.connection.executemany(STATEMENTS[name], rows)


class SqliteDatabase(Database):
    """One file. Writers queue for a lock beside it, in the kernel, before they ask SQLite for its own."""

    traits = frozenset({Trait.CHAINED, Trait.DURABLE, Trait.HISTORY, Trait.REPLAY})

    def __init__(self, path: str, *, lock_timeout: float) -> None:
        """`path` is absolute, `lock_timeout` in seconds."""
        self._path = path
        self._timeout = lock_timeout
        self._idle: list[SqliteSession] = []
        self._stays = False
        self._written = False

    def write(self, action: Callable[[Session], tuple[T, Proof | None]], *, now: bool = False) -> T:
        """See Database. SQLite always says whether it has committed: the proof is not needed."""
        file.identity(self._path)  # before a lock is made beside what is no database
        while True:
            try:
                with file.Lock(self._path, 0 if now else self._timeout):
                    return self._write(action, 0 if now else self._timeout)
            except Outdated:
                if now:
                    raise Busy from None
                self.upgrade()

    def _write(self, action: Callable[[Session], tuple[T, Proof | None]], patience: float) -> T:
        try:
            session = self._session(create=True)
            connection = session.connection
            before = connection.total_changes
            self._begin(session, patience)
            try:
                result, _proof = action(session)
                connection.execute("COMMIT")
            except _sqlite3.Error:
                connection.close()
                raise
            except BaseException:
                connection.execute("ROLLBACK")
                self._idle.append(session)
                raise
        except _sqlite3.Error as error:
            raise _error(error, self._path) from error
        if connection.total_changes != before:
            self._written = True
            if not self._stays:
                self._bound_log(session)
        self._idle.append(session)
        return result

    def _begin(self, session: SqliteSession, patience: float) -> None:
        """Take SQLite's own lock. Raises Busy where another program has it and there is no patience."""
        try:
            session.be_patient(patience)
            session.connection.execute("BEGIN IMMEDIATE")
        except _sqlite3.Error as error:
            session.connection.close()
            if not patience and getattr(error, "sqlite_errorcode", 0) & 0xFF in (_BUSY, _LOCKED):
                raise Busy from None
            raise

    def _bound_log(self, session: SqliteSession) -> None:
        """Empty the log where it has become long. SQLite's own way (wal_autocheckpoint) would let it grow for ever.

        There the log begins anew at the next change of a process that knows it to be copied, and a one-shot makes
        one. In a daemon it is better: a log that keeps its length costs half as much to bring to the disk.
        """
        try:
            size = posix.stat(name_bytes(f"{self._path}-wal")).st_size
        except OSError:
            return
        if size > _MOST_LOG:
            try:
                session.be_patient(0)  # with somebody reading, the next change does it
                session.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except _sqlite3.Error:  # what was committed is committed
                return

    def read(self, name: str, values: Values) -> Iterator[Row]:
        """See Database. Nothing is there where there is no file."""
        try:
            session = self._session(create=False)
        except FileNotFoundError:
            return
        except _sqlite3.Error as error:
            raise _error(error, self._path, _LOOK) from error
        try:
            _require_schema(session)
            found = session.connection.execute(STATEMENTS[name], values)
            try:
                while rows := found.fetchmany(_AT_ONCE):
                    yield from rows
            except _sqlite3.Error:
                session.connection.close()
                raise
            except BaseException:  # whoever asked wants no more
                found.close()
                self._idle.append(session)
                raise
            self._idle.append(session)
        except Outdated:
            self.upgrade()
            yield from self.read(name, values)
        except _sqlite3.Error as error:
            raise _error(error, self._path, _LOOK) from error

    def _session(self, *, create: bool) -> SqliteSession:
        """A connection to the file that is there now. Raises FileNotFoundError where there is none to `create`."""
        identity = file.identity(self._path)
        while self._idle:
            session = self._idle.pop()
            if session.identity == identity:
                return session
            session.connection.close()
        if identity is None:
            if not create:
                raise FileNotFoundError(self._path)
            from backends.sql.creation import create_database

            create_database(self._path)
            identity = file.identity(self._path)
        pages = _MOST_PAGES if self._stays else 0
        return SqliteSession(self._path, file.connect(self._path, self._timeout, pages), identity)

    def is_there(self) -> bool:
        """See Database."""
        return file.identity(self._path) is not None

    def check(self) -> None:
        """See Database: the file, or the nearest directory above it that exists, can be written."""
        file.check_writable(self._path)
        try:
            session = self._session(create=False)
            _require_schema(session)
            self._idle.append(session)
        except (Outdated, FileNotFoundError):
            pass  # the next change upgrades or makes it
        except InputOutput as error:
            raise unavailable(error) from None
        except _sqlite3.Error as error:
            raise unavailable(_error(error, self._path, _LOOK)) from None

    def upgrade(self) -> str:
        """See Database."""
        if not self.is_there():
            self.write(lambda _: (None, None))  # it has to be made with its journal and mode, not with tables alone
            return ""
        from backends.sql.upgrade import upgrade_sqlite

        try:
            self._session(create=False).connection.close()  # or it does not keep what it is told
            return upgrade_sqlite(self._path, self._timeout)
        except _sqlite3.Error as error:
            raise _error(error, self._path) from error

    def tidy(self) -> None:
        """See Database: copy the log into the file, so that no commit has to."""
        if not self._stays:
            self._stays = True
            self.close()
        if self._written and self._idle:
            self._written = False
            try:
                self._idle[-1].connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            except _sqlite3.Error:
                self._idle.pop().connection.close()

    def close(self) -> None:
        """See Database."""
        while self._idle:
            self._idle.pop().connection.close()


def _require_schema(session: SqliteSession) -> None:
    try:
        require_schema(version(session), session.place)
    except BaseException:
        session.connection.close()
        raise


def _error(error: Exception, path: str, advice: str = _CHANGE) -> CniError:
    """What a person is to read of a driver's error."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (_BUSY, _LOCKED):
        return TryAgain(
            f"{path} is locked by another program: {error}", "something that does not take our lock works on it"
        )
    if isinstance(error, _sqlite3.OperationalError) and "no such table" in str(error):
        return InputOutput(f"{path} is no database of leases, or one without schema {SCHEMA}", "name another file")
    return InputOutput(f"{path}: {quote(str(error), 200)[1:-1]}", advice)
