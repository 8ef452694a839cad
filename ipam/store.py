"""The contract between policies and stores: what a store of leases MUST do, and what it MAY.

A change is a function that runs inside a transaction of one network. `ipam.testing.StoreContract` holds
every store to the sentences below.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from ipam.model import Address, Attachment, Event, Lease, Range
    from ipam.verdict import Verdict

    T = TypeVar("T")

    Finding = tuple[str, str, str]  # a code that stays as it is, what was found, what can be done about it

_MOST_SETS = 64  # ipam.ranges has the limit


NEVER = float("inf")
"""A moment that does not come."""


class Trait:
    """What a store can do beyond the contract's minimum."""

    DURABLE = "durable"  # leases are there again after close() and reopening
    CHAINED = "chained"  # history is a chain (ipam.chain); verify() tells whether it is what was written
    HISTORY = "history"  # history() tells of every claim and drop
    MULTI_HOST = "multi-host"  # several nodes may share one network
    REPLAY = "replay"  # Transaction.replay() and put_cursor(): another store's leases can be moved into it


class Transaction(ABC):
    """One atomic change of one network's leases. It sees its own claims and drops at once.

    A change MUST decide before it claims: what it has done when it raises must be right by itself. So several
    changes can be run in one commit.
    """

    @abstractmethod
    def leases(self) -> Iterator[Lease]:
        """Every lease of the network, in address order. Costs as much as there are leases."""

    def leases_of(self, node: str) -> Iterator[Lease]:
        """Those that `node` made, in address order. A store for many hosts SHOULD find them without reading all."""
        return (lease for lease in self.leases() if lease.node == node)

    @abstractmethod
    def held_by(self, who: Attachment) -> list[Lease]:
        """The leases of `who`, and those recorded for its container alone (`ifname` empty), by address.

        MUST NOT cost more where there are more leases.
        """

    @abstractmethod
    def holder(self, address: Address) -> Lease | None:
        """The lease on `address`, or None where it is free.

        Where something that is no readable lease keeps the address, a lease of an attachment with an
        empty container id.
        """

    @abstractmethod
    def next_free(self, rng: Range, after: int | None, *, resting: bool = False) -> int | None:
        """The lowest free address of `rng` above `after` (from the start where None), as a number.

        Skips addresses that rest (see drop), unless `resting`. Knows of nothing else: the range's gateway counts
        as free. MUST NOT enumerate the range.
        """

    @abstractmethod
    def cursor(self, range_set: int) -> Address | None:
        """The address claimed last for the range set of that index."""

    @abstractmethod
    def claim(self, lease: Lease, why: str, note: str = "") -> None:
        """Record `lease`, put the cursor of its range set on it, and write history, with `note` in the event.

        The address does not rest any longer. Raises AddressInUse where it is leased already, and then changes
        nothing.
        """

    @abstractmethod
    def drop(self, lease: Lease, why: str, note: str = "", rest: float = 0.0) -> None:
        """Remove `lease` and write history, with `note` in the event. One that is not there (any more) is no error.

        Then the address rests for `rest` seconds: next_free() passes it over, but a claim may take it.
        """

    def when_committed(self, action: Callable[[], None]) -> None:  # noqa: B027 - most stores have nothing to tidy up
        """Have `action` called as soon as the change is committed, while the store may still have to tidy up.

        A store MAY do that, at most once and before transact() returns; callers must not count on it. `action`
        must not raise.
        """

    def replay(self, event: Event, *, done: bool) -> None:
        """Write an event of another store into history as it stands: its time, boot, cause and note; its link is new.

        Where it is to be `done`, the lease is also claimed (or raises AddressInUse), or dropped as far as its
        attachment holds it; the cursor stays. A store that has Trait.REPLAY MUST do it.
        """
        raise NotImplementedError

    def put_cursor(self, range_set: int, address: Address) -> None:
        """Let the cursor of that range set stand on `address`. A store that has Trait.REPLAY MUST do it."""
        raise NotImplementedError

    @abstractmethod
    def last_boot(self, node: str) -> str | None:
        """The boot id that `node` told last, or None where it never did."""

    @abstractmethod
    def begin_boot(self, node: str, boot: str) -> None:
        """Remember `boot` as the boot in which `node` is."""


class Busy(Exception):
    """Of Store.transact_now(): it would have to wait."""


class Store(ABC):
    """Leases, cursors and history of any number of networks. Only errors of `ipam.errors` come out."""

    traits: frozenset[str] = frozenset()

    @abstractmethod
    def transact(self, network: str, change: Callable[[Transaction], T]) -> T:
        """Run `change` on `network` alone, and commit what it claimed and dropped, all of it or none.

        Changes of one network MUST be serial, whatever process makes them. An exception of `change` rolls
        back and travels on. The store MAY run `change` again. Returns only when another process would
        see the change. Raises TryAgain when the network stays locked, StoreUnavailable when the store is
        away, InputOutput when it cannot be written.
        """

    def transact_now(self, network: str, change: Callable[[Transaction], T]) -> T:
        """The same without waiting for anybody, or Busy. For a daemon that has others to serve meanwhile.

        A store that cannot tell beforehand whether it would wait leaves this as it is: always Busy.
        """
        raise Busy

    def is_there(self) -> bool:
        """Whether there is anything in the store's place. Where there is not, the first change makes it."""
        return True

    @abstractmethod
    def networks(self) -> Iterator[str]:
        """The names of the networks known, sorted."""

    @abstractmethod
    def leases(self, network: str) -> Iterator[Lease]:
        """A consistent snapshot, in address order. An unknown network has no leases."""

    @abstractmethod
    def resting(self, network: str) -> Iterator[tuple[Address, float]]:
        """The free addresses that rest at this moment, in order, and until when (seconds since the epoch)."""

    def unusable(self, network: str) -> Iterator[Address]:
        """The addresses, in order, that nobody gets although nobody holds them: something that is no lease keeps them.

        A store in which there can be none leaves this as it is.
        """
        return iter(())

    @abstractmethod
    def history(
        self,
        network: str,
        *,
        since: float | None = None,
        who: Attachment | None = None,
        address: Address | None = None,
    ) -> Iterator[Event]:
        """The events of a network, oldest first, of `since` or later, of one attachment or address."""

    def cursors(self, network: str) -> dict[int, Address]:
        """The cursor of each range set that has one, by its index. MUST change nothing."""
        return self.transact(network, _cursors)

    def audit(self, network: str) -> list[Finding]:
        """What is wrong with the network's records: where they are damaged, or disagree with each other.

        A store that has one record of everything, and lets nobody else write it, leaves this as it is. MUST change
        nothing, and must not be trusted to find what follows from leases() alone.
        """
        return []

    def verify(self, network: str, known: tuple[int, str] | None = None) -> Verdict:
        """Whether history is what was written: nothing changed, cut out, moved or cut off. MUST change nothing.

        `known` is what an earlier Verdict told: how many events there had been in all, and the last link, which is
        that of ipam.chain behind all events of the network, whoever made them. Only a store with Trait.CHAINED can
        tell, and its forget() MUST leave a chain that begins behind what is gone; of any other the Verdict says that
        nothing was looked at.
        """
        from ipam.verdict import Verdict

        return Verdict(0, 0, 0, "")

    def repair(self, network: str) -> bool:
        """Mend what audit() finds, as far as that needs no guessing who holds what; whether the store can at all."""
        return False

    @abstractmethod
    def forget(self, network: str, before: float) -> int:
        """Remove events older than `before` but for claims of leases still held; how many were removed.

        A store MAY keep those that happened behind one that is not older, though their time says otherwise.
        """

    def whole_since(self, network: str) -> float:
        """The moment from which on history() tells everything, in seconds since the epoch.

        0 where nothing was forgotten, NEVER where all of it was. A store with Trait.CHAINED MUST know; others, that do
        not, leave this as it is.
        """
        return 0.0

    @abstractmethod
    def check(self) -> None:
        """Return when an ADD could be served now; MUST be cheap. Raises StoreUnavailable otherwise."""

    def upgrade(self) -> str:
        """Bring what is stored to the form that this version writes; in words, what there was to do."""
        return "there is nothing to upgrade"

    def tidy(self) -> None:  # noqa: B027 - most stores have nothing to put off
        """Do what was put off. A daemon calls this about once a second, while nobody waits; MUST be quick."""

    @abstractmethod
    def close(self) -> None:
        """Let go of files and connections. Nothing that transact() answered may be lost."""


def _cursors(tx: Transaction) -> dict[int, Address]:
    found = [(number, tx.cursor(number)) for number in range(_MOST_SETS)]
    return {number: address for number, address in found if address is not None}
