"""A network that has no directory: everything is free, nothing is held, and looking at it makes none."""

from __future__ import annotations

from ipam.store import Transaction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipam.model import Address, Attachment, Event, Lease, Range


class DirectoryNeeded(Exception):
    """The change claims a lease: make the directory, and run the change there."""


class AbsentTransaction(Transaction):
    """What a change sees of such a network. DEL, CHECK and GC of one that was never used end here."""

    def leases(self) -> Iterator[Lease]:
        """See Transaction."""
        return iter(())

    def held_by(self, who: Attachment) -> list[Lease]:
        """See Transaction."""
        return []

    def holder(self, address: Address) -> Lease | None:
        """See Transaction."""
        return None

    def next_free(self, rng: Range, after: int | None, *, resting: bool = False) -> int | None:
        """See Transaction."""
        first = rng.start if after is None else max(after + 1, rng.start)
        return first if first <= rng.end else None

    def cursor(self, range_set: int) -> Address | None:
        """See Transaction."""
        return None

    def claim(self, lease: Lease, why: str, note: str = "") -> None:
        """See Transaction."""
        raise DirectoryNeeded

    def drop(self, lease: Lease, why: str, note: str = "", rest: float = 0.0) -> None:
        """See Transaction."""

    def replay(self, event: Event, *, done: bool) -> None:
        """See Transaction."""
        raise DirectoryNeeded

    def put_cursor(self, range_set: int, address: Address) -> None:
        """See Transaction."""
        raise DirectoryNeeded

    def last_boot(self, node: str) -> str | None:
        """See Transaction."""
        return None

    def begin_boot(self, node: str, boot: str) -> None:
        """See Transaction."""
