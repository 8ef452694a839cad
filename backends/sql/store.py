"""The SQL stores: one implementation of the contract over whatever Database executes the statements."""

from __future__ import annotations

from backends.sql.database import SCHEMA, require_schema
from backends.sql.keys import address_of, key_of
from backends.sql.rows import event_of, lease_of, text
from backends.sql.transaction import SqlTransaction
from ipam.store import NEVER, Store, Transaction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from backends.sql.database import Database, Proof, Session
    from backends.sql.rows import Row
    from ipam.model import Address, Attachment, Event, Host, Lease
    from ipam.store import Finding
    from ipam.verdict import Verdict

    T = TypeVar("T")


class SqlStore(Store):
    """Leases, cursors and history in the tables of schema.py."""

    def __init__(self, database: Database, host: Host) -> None:
        self._database = database
        self._host = host
        self.traits = database.traits

    def transact(self, network: str, change: Callable[[Transaction], T]) -> T:
        """See Store."""
        return self._database.write(self._action(network, change))

    def transact_now(self, network: str, change: Callable[[Transaction], T]) -> T:
        """See Store."""
        return self._database.write(self._action(network, change), now=True)

    def _action(self, network: str, change: Callable[[Transaction], T]) -> Callable[[Session], tuple[T, Proof | None]]:
        def action(session: Session) -> tuple[T, Proof | None]:
            tx = SqlTransaction(session, network, self._host)
            result = change(tx)
            return result, tx.finish()

        return action

    def is_there(self) -> bool:
        """See Store."""
        return self._database.is_there()

    def networks(self) -> Iterator[str]:
        """See Store."""
        return iter(sorted(str(name) for (name,) in self._database.read("networks", {})))

    def leases(self, network: str) -> Iterator[Lease]:
        """See Store."""
        return map(lease_of, self._read(network, "leases"))

    def resting(self, network: str) -> Iterator[tuple[Address, float]]:
        """See Store."""
        for key, until in self._read(network, "resting", now=self._host.clock()):
            yield address_of(key), until

    def history(
        self,
        network: str,
        *,
        since: float | None = None,
        who: Attachment | None = None,
        address: Address | None = None,
    ) -> Iterator[Event]:
        """See Store."""
        if address is not None:
            rows = self._read(network, "events_of_address", key=key_of(*address))
        elif who is not None:
            rows = self._read(network, "events_of_container", container_id=text(who.container_id))
        elif since is not None:
            rows = self._read(network, "events_since", since=float(since))
        else:
            rows = self._read(network, "events")
        for row in rows:
            event = event_of(network, row)
            if (who is None or event.lease.attachment == who) and (since is None or event.time >= since):
                yield event

    def cursors(self, network: str) -> dict[int, Address]:
        """See Store."""
        return {number: address_of(key) for number, key in self._read(network, "cursors")}

    def audit(self, network: str) -> list[Finding]:
        """See Store."""
        from backends.sql.consistency import Parts

        rows = list(self._read(network, "parts"))
        return list(Parts(rows).findings()) if rows else []

    def repair(self, network: str) -> bool:
        """See Store."""
        from backends.sql.consistency import repair

        def action(session: Session) -> tuple[bool, None]:
            for number, version, *_ in session.fetch("open", {"name": network}):
                require_schema(version, session.place)
                repair(session, number)
            return True, None

        return self._database.write(action)

    def whole_since(self, network: str) -> float:
        """See Store."""
        for _written, _last, forgotten, begins, *_ in self._read(network, "chain"):
            if forgotten:
                return next((time for (time,) in self._read(network, "first_of_chain", begins=begins)), NEVER)
        return 0.0

    def verify(self, network: str, known: tuple[int, str] | None = None) -> Verdict:
        """See Store."""
        from backends.sql.proof import verify

        return verify(self._read, network, known)

    def _read(self, network: str, statement: str, **values: object) -> Iterator[Row]:
        """The rows of a statement about a network, none where it is unknown."""
        for (known,) in self._database.read("find", {"name": network}):
            return self._database.read(statement, {"net": known, **values})
        return iter(())

    def forget(self, network: str, before: float) -> int:
        """See Store."""
        from backends.sql.retention import forget

        def action(session: Session) -> tuple[int, None]:
            rows = session.fetch("open", {"name": network})
            if not rows:
                return 0, None
            require_schema(rows[0][1], session.place)
            return forget(session, rows[0][0], network, float(before)), None

        return self._database.write(action)

    def upgrade(self) -> str:
        """See Store."""
        before = self._database.upgrade()
        return f"schema {SCHEMA} is up to date" if before == SCHEMA else f"schema {before or '(none)'} is now {SCHEMA}"

    def check(self) -> None:
        """See Store."""
        self._database.check()

    def tidy(self) -> None:
        """See Store."""
        self._database.tidy()

    def close(self) -> None:
        """See Store."""
        self._database.close()
