"""PostgreSQL through SQLAlchemy and psycopg: many hosts, one lock for each network, and no wait without an end."""

from __future__ import annotations

import posix
from math import ceil
from stat import S_ISREG
from time import monotonic, sleep

import psycopg
from sqlalchemy import Connection, create_engine, exc
from sqlalchemy.engine import URL, make_url

from backends.sql.bounded import BoundedConnection, connect
from backends.sql.database import Database, Outdated, Session, require_schema
from backends.sql.statements import STATEMENTS
from backends.sql.trouble import Trouble
from ipam.errors import CniError, InputOutput, InvalidConfig, StoreUnavailable
from ipam.jsontext import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any, TypeVar

    from backends.sql.database import Proof
    from backends.sql.rows import Row, Values
    from ipam.model import Host, StoreConfig

    T = TypeVar("T")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.25  # seconds
_LONG_READS = {
    "leases",
    "parts",
    "events",
    "events_since",
    "events_of_address",
    "events_of_container",
    "linked_from",
    "linked_before",
}
_AT_ONCE = 1000  # rows
_LONGEST_PASSWORD = 4096
_CONNECTIONS, _MOST_CONNECTIONS = 4, 32
_FOR_LOCKS, _FOR_STATEMENTS = 0.8, 0.9  # of the time that we wait for an answer, so that there is one
_UPGRADE = 0x6970616D  # "ipam": the lock of who upgrades the schema, for there may be no table to lock
_SHORTEST_IDLE = 60.0  # seconds that a transaction may wait for us: a migration reads and writes in turns


class ServerSession(Session):
    """One transaction on the server."""

    def __init__(self, place: str, connection: Connection) -> None:
        self.place = place
        self._connection = connection

    def fetch(self, name: str, values: Values) -> Sequence[Row]:
        """See Session."""
        return self._connection.execute(STATEMENTS[name], values).all()

    def run(self, name: str, values: Values) -> int:
        """See Session."""
        return self._connection.execute(STATEMENTS[name], values).rowcount

    def run_many(self, name: str, rows: list[Values]) -> None:
        """See Session."""
        self._connection.execute(STATEMENTS[name], rows if len(rows) > 1 else rows[0])


class _Unknown(Exception):
    """The connection broke while the server was committing."""

    def __init__(self, trouble: Trouble, result: object, proof: Proof | None) -> None:
        super().__init__(trouble.error.msg)
        self.trouble = trouble
        self.result = result
        self.proof = proof


class ServerDatabase(Database):
    """A server's database. Every change holds the lock of its network's row, so that reads see what was committed."""

    def __init__(self, config: StoreConfig, host: Host) -> None:
        """Nothing is connected yet. Raises InvalidConfig for a URL that is none."""
        self._timeout = config.lock_timeout
        self._durable = config.durable
        self._password_file = config.password_file
        self._name = f"ipam {host.node}"
        try:
            self._url = make_url(config.url).set(drivername="postgresql+psycopg")
        except (exc.ArgumentError, ValueError):
            raise InvalidConfig(f"store {quote(config.shown)} is no URL of a database") from None
        _require_settings_of_libpq(self._url, config.shown)
        self._place = config.shown
        self._engine = create_engine(
            self._url,
            creator=self._connect,
            pool_size=_CONNECTIONS,
            max_overflow=_MOST_CONNECTIONS - _CONNECTIONS,
            pool_timeout=self._timeout,
            use_native_hstore=False,  # which would be looked for at each start
        )

    def _connect(self) -> BoundedConnection:
        connection = connect(self._parameters(), self._timeout)
        connection.patience = self._timeout
        return connection

    def _parameters(self) -> dict[str, Any]:
        """What psycopg.connect() gets: the URL's own, and no wait without an end."""
        url: URL = self._url
        if self._password_file:
            url = url.set(password=_password(self._password_file))
        given = dict(self._engine.dialect.create_connect_args(url)[1])
        milliseconds = ceil(self._timeout * 1000)
        settings = {
            "lock_timeout": ceil(_FOR_LOCKS * milliseconds),
            "statement_timeout": ceil(_FOR_STATEMENTS * milliseconds),
            "idle_in_transaction_session_timeout": ceil(max(self._timeout, _SHORTEST_IDLE) * 1000),
            **({"synchronous_commit": "on"} if self._durable else {}),
        }
        options = " ".join([f"-c {name}={value}" for name, value in settings.items()])
        return {
            "connect_timeout": ceil(self._timeout),
            "tcp_user_timeout": milliseconds,
            "application_name": self._name,
            **given,
            "client_encoding": "utf8",  # whatever the database has: names are in any script
            "options": f"{options} {given.get('options', '')}".strip(),
        }

    def write(self, action: Callable[[Session], tuple[T, Proof | None]], *, now: bool = False) -> T:
        """See Database. Runs again after conflicts, and where the server went away before it had committed."""
        deadline, pause = monotonic() + self._timeout, _FIRST_PAUSE
        unknown: _Unknown | None = None
        was_there = False
        while True:
            try:
                return self._attempt(action, unknown)
            except _Unknown as error:
                unknown, trouble = error, error.trouble
            except exc.SQLAlchemyError as error:
                trouble = Trouble(error, self._place)
            except Outdated as error:
                raise _outdated(error, self._place) from None
            was_there |= trouble.is_lost
            hopeless = trouble.is_silence or not (trouble.is_passing or was_there)
            if hopeless or monotonic() + pause > deadline:
                raise _with_doubt(trouble.error, unknown)
            sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _attempt(self, action: Callable[[Session], tuple[T, Proof | None]], unknown: _Unknown | None) -> T:
        with self._engine.connect() as connection:
            session = ServerSession(self._place, connection)
            if unknown is not None and unknown.proof is not None and unknown.proof(session):
                return unknown.result  # type: ignore[return-value]
            result, proof = action(session)
            try:
                connection.commit()
            except exc.DBAPIError as error:
                trouble = Trouble(error, self._place)
                if trouble.is_lost:
                    raise _Unknown(trouble, result, proof) from error
                raise
            return result

    def read(self, name: str, values: Values) -> Iterator[Row]:
        """See Database."""
        try:
            with self._engine.connect() as connection:
                require_schema(connection.execute(STATEMENTS["version"]).scalar(), self._place)
                if name in _LONG_READS:
                    connection.execution_options(yield_per=_AT_ONCE)
                with connection.execute(STATEMENTS[name], values) as result:
                    yield from result
        except exc.SQLAlchemyError as error:
            raise Trouble(error, self._place).error from error
        except Outdated as error:
            raise _outdated(error, self._place) from None

    def check(self) -> None:
        """See Database."""
        try:
            self._require_ready()
        except exc.SQLAlchemyError as failed:
            error = Trouble(failed, self._place).error
            raise StoreUnavailable(error.msg, error.details) from failed
        except Outdated as older:
            raise _outdated(older, self._place) from None
        except InputOutput as error:
            raise StoreUnavailable(error.msg, error.details) from None

    def _require_ready(self, *, again: bool = True) -> None:
        """Where a connection broke while nobody needed it, the server may be there: it is asked `again`."""
        try:
            with self._engine.connect() as connection:
                require_schema(connection.execute(STATEMENTS["ready"]).scalar(), self._place)
        except exc.DBAPIError as failed:
            trouble = Trouble(failed, self._place)
            if not again or trouble.is_silence or not trouble.is_lost:
                raise
            self._require_ready(again=False)

    def upgrade(self) -> str:
        """See Database."""
        from backends.sql.upgrade import upgrade

        try:
            with self._engine.begin() as connection:
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_UPGRADE})")
                return upgrade(connection, self._place)
        except exc.SQLAlchemyError as error:
            raise Trouble(error, self._place).error from error

    def close(self) -> None:
        """See Database."""
        self._engine.dispose()


def _require_settings_of_libpq(url: URL, shown: str) -> None:
    """Raise InvalidConfig for what only the driver would take: with `autocommit` a change would be no transaction."""
    known = {each.keyword.decode() for each in psycopg.pq.Conninfo.get_defaults()}
    for key in url.query:
        if key not in known:
            raise InvalidConfig(
                f"store {quote(shown)} has a setting that libpq does not know: {quote(key)}",
                "PostgreSQL's documentation lists them under `Parameter Key Words`",
            )


def _outdated(older: Outdated, place: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"{place} has schema {quote(older.version)}, which is older than this version of the plugin needs",
        "run `ipam store upgrade` on it once, from one node",
    )


def _with_doubt(error: CniError, unknown: _Unknown | None) -> CniError:
    if unknown is not None:
        error.details = "it went away while it was committing, so the change may have been made; DEL undoes it"
    return error


def _password(path: str) -> str:
    """The first line of the file. Raises InputOutput where it cannot be read, or has none."""
    try:
        fd = posix.open(path, posix.O_RDONLY | posix.O_NONBLOCK | posix.O_CLOEXEC)  # not waiting for a FIFO's other end
        try:
            if not S_ISREG(posix.fstat(fd).st_mode):
                raise InputOutput(f"ipam.passwordFile {quote(path)} is no regular file", "it must have the password")
            data = posix.read(fd, _LONGEST_PASSWORD + 1)
        finally:
            posix.close(fd)
    except OSError as error:
        raise InputOutput(f"ipam.passwordFile {quote(path)}: {error.strerror}", "it must have the password") from None
    line, _, rest = data.partition(b"\n")
    try:
        password = line.removesuffix(b"\r").decode("utf-8")
    except UnicodeDecodeError:
        password = ""
    if not password or rest.strip() or len(data) > _LONGEST_PASSWORD:
        raise InputOutput(f"ipam.passwordFile {quote(path)} must be one line, the password, in UTF-8")
    return password
