"""A transaction that changes nothing: the real allocator runs on a snapshot, and what it claims is only looked at."""

from __future__ import annotations

from bisect import bisect_left

from ipam.address import format_address
from ipam.errors import AddressInUse
from ipam.model import Address, Attachment
from ipam.store import Transaction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ipam.model import Lease, Range


class Preview(Transaction):
    """A network as it was a moment ago, and as a change would leave it."""

    def __init__(
        self, leases: Iterable[Lease], resting: Iterable[tuple[Address, float]], cursors: Mapping[int, Address]
    ) -> None:
        self._leases = {lease.address: lease for lease in leases}
        self.resting = dict(resting)
        self._cursors = dict(cursors)
        self._order: list[Address] | None = None

    def leases(self) -> Iterator[Lease]:
        """See Transaction."""
        return iter([self._leases[address] for address in sorted(self._leases)])

    def held_by(self, who: Attachment) -> list[Lease]:
        """See Transaction."""
        names = (who, Attachment(who.container_id, ""))
        return [lease for lease in self.leases() if lease.attachment in names]

    def holder(self, address: Address) -> Lease | None:
        """See Transaction."""
        return self._leases.get(address)

    def next_free(self, rng: Range, after: int | None, *, resting: bool = False) -> int | None:
        """See Transaction. Walks over what is taken, not over the range."""
        if self._order is None:
            self._order = sorted({*self._leases, *self.resting})
        value = rng.start if after is None else max(after + 1, rng.start)
        place = bisect_left(self._order, Address(rng.family, value))
        while place < len(self._order) and self._order[place] == Address(rng.family, value):
            if self._order[place] not in self._leases and resting:
                break
            place, value = place + 1, value + 1
        return value if value <= rng.end else None

    def cursor(self, range_set: int) -> Address | None:
        """See Transaction."""
        return self._cursors.get(range_set)

    def claim(self, lease: Lease, why: str, note: str = "") -> None:
        """See Transaction."""
        if lease.address in self._leases:
            raise AddressInUse(f"{format_address(lease.address)} is leased")
        self._leases[lease.address] = lease
        self._order = None

    def drop(self, lease: Lease, why: str, note: str = "", rest: float = 0.0) -> None:
        """See Transaction."""
        self._leases.pop(lease.address, None)
        self._order = None

    def last_boot(self, node: str) -> str | None:
        """See Transaction. None, so that what an earlier boot left is found."""
        return None

    def begin_boot(self, node: str, boot: str) -> None:
        """See Transaction."""
