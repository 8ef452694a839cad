"""The seam between what the stores decide and who executes it: statements by name, rows back."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ipam.errors import StoreUnavailable
from ipam.jsontext import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TypeVar

    from backends.sql.rows import Row, Values

    T = TypeVar("T")
    Proof = Callable[["Session"], bool]

SCHEMA = "0001"
"""The schema that this package reads and writes: the newest of its migrations. They sort by number."""


class Outdated(Exception):
    """The database has an older schema, or none: `version` says which."""

    def __init__(self, version: str) -> None:
        super().__init__(version)
        self.version = version


def require_schema(found: object, place: str) -> None:
    """Return where the version that was `found` is SCHEMA; None where none was.

    Raises Outdated where it is older, StoreUnavailable where it is newer.
    """
    version = str(found or "")
    if version == SCHEMA:
        return
    if version < SCHEMA:
        raise Outdated(version)
    raise StoreUnavailable(
        f"{place} has schema {quote(version)}, and this version of the plugin knows {SCHEMA} as the newest",
        "nothing was touched; upgrade the plugin on this node",
    )


class Session(ABC):
    """Executes statements (see statements.py) within one transaction. `place` names the database to people."""

    place: str

    @abstractmethod
    def fetch(self, name: str, values: Values) -> Sequence[Row]:
        """All rows that the statement of that name yields."""

    @abstractmethod
    def run(self, name: str, values: Values) -> int:
        """Execute a statement that changes rows; how many it has changed."""

    @abstractmethod
    def run_many(self, name: str, rows: list[Values]) -> None:
        """Execute an insert for each of several rows."""


def version(session: Session) -> object:
    """The version of the schema, None where the database does not say."""
    return next((row[0] for row in session.fetch("version", {})), None)


class Database(ABC):
    """Where sessions come from. Only errors of `ipam.errors`, and those of actions, come out."""

    traits: frozenset[str] = frozenset()

    @abstractmethod
    def write(self, action: Callable[[Session], tuple[T, Proof | None]], *, now: bool = False) -> T:
        """Run `action` in a transaction that may change rows, and commit; what it returned first.

        It may run again, unless the Proof that it returned finds, in a later session, that the transaction was
        committed although nobody said so. With `now`, raises Busy rather than wait.
        """

    @abstractmethod
    def read(self, name: str, values: Values) -> Iterator[Row]:
        """The rows of one statement, all as they were at one moment."""

    def is_there(self) -> bool:
        """Whether there is anything in its place yet."""
        return True

    @abstractmethod
    def check(self) -> None:
        """Return when a transaction could be written now. Raises StoreUnavailable."""

    @abstractmethod
    def upgrade(self) -> str:
        """Bring the schema up to SCHEMA; the version that it had before, empty where there was none."""

    def tidy(self) -> None:  # noqa: B027 (a server needs nobody for that)
        """Do what had better be done while nobody waits."""

    @abstractmethod
    def close(self) -> None:
        """Let go of connections."""
