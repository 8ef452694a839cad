"""The free addresses of a network as intervals in a table: taking and giving back costs one or two rows."""

# Each address of a family is in exactly one of the tables leases, resting and free. Intervals do not know of
# ranges: those may change from one call to the next.
from __future__ import annotations

from backends.sql.keys import SPACES, after, before, key_in, key_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backends.sql.database import Session

    Interval = tuple[bytes, bytes]


class Free:
    """The intervals of one network, within one transaction.

    One interval is remembered as it is now. Taken from its beginning, as the round robin does, it is written
    once for many addresses: by write(), which has to come last.
    """

    def __init__(self, session: Session, network: int) -> None:
        self._session = session
        self._network = network
        self._known: Interval | None = None
        self._is_written = True

    def begin(self) -> None:
        """Of a network that is new: everything is free."""
        for family, last in SPACES.items():
            self._add(key_of(family, 0), key_of(family, last))

    def write(self) -> None:
        """Have the table say what is remembered."""
        if self._known is not None and not self._is_written:
            first, last = self._known
            self._run("set_first", last, first=first)
        self._is_written = True

    def _add(self, first: bytes, last: bytes) -> None:
        self._session.run("add_free", {"network": self._network, "first": first, "last": last})

    def _from(self, key: bytes) -> list[Interval]:
        """The interval that `key` is in, or the next one; and the one behind that."""
        self.write()
        rows = self._session.fetch("free_from", {"net": self._network, "key": key})
        return [(key_in(first), key_in(last)) for first, last in rows]

    def _around(self, key: bytes) -> Interval | None:
        """The interval that `key` is in, or the next one, which is remembered."""
        if self._known is None or not self._known[0] <= key <= self._known[1]:
            self._known = next(iter(self._from(key)), None)
        return self._known

    def at_or_behind(self, key: bytes) -> bytes | None:
        """The lowest free address from `key` on, in whatever family."""
        found = self._around(key)
        return None if found is None else max(found[0], key)

    def take(self, key: bytes) -> bool:
        """Cut an address out of its interval; False where it is in none."""
        found = self._around(key)
        if found is None or not found[0] <= key <= found[1]:
            return False
        first, last = found
        if key == first != last:
            self._known, self._is_written = (after(key) or last, last), False
            return True
        self.write()
        self._known = None
        below, above = before(key), after(key)
        if first == last:
            self._run("remove_free", last)
        elif key == last:
            self._run("set_last", last, last=below)
        else:
            self._run("set_first", last, first=above)
            self._add(first, below or first)
        return True

    def give_back(self, key: bytes) -> None:
        """Let an address be free again, in one interval with its neighbours."""
        below, above = before(key), after(key)
        found = self._from(below or key)
        self._known = None
        left = next((interval for interval in found if interval[1] == below), None)
        right = next((interval for interval in found if interval[0] == above), None)
        if left and right:
            self._run("remove_free", left[1])
            self._run("set_first", right[1], first=left[0])
        elif left:
            self._run("set_last", left[1], last=key)
        elif right:
            self._run("set_first", right[1], first=key)
        else:
            self._add(key, key)

    def _run(self, statement: str, at: bytes, /, **values: object) -> None:
        self._session.run(statement, {"net": self._network, "key": at, **values})
