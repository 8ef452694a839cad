"""Which lease `ipam restore` brings back: the last one of an address, if an operator took it away."""

from __future__ import annotations

from ipam.address import format_address
from ipam.allocator import holder_text
from ipam.errors import AddressInUse, AlreadyAllocated
from ipam.model import DROP, Cause

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipam.model import Address, Event, Lease
    from ipam.store import Transaction

UNDOABLE = (Cause.RELEASE, Cause.GC)


def last_released(address: Address, events: Iterable[Event]) -> Lease:
    """The lease that an operator or gc ended last on this address. Raises ValueError where the last end was another.

    `events` are those of the address, oldest first.
    """
    last = None
    for event in events:
        last = event
    text = format_address(address)
    if last is None:
        raise ValueError(f"history knows nothing of {text}")
    if last.what != DROP:
        raise ValueError(f"{text} is held by {holder_text(last.lease)}")
    if last.cause not in UNDOABLE:
        raise ValueError(f"{text} was not taken away by an operator: its lease ended by {last.cause}")
    return last.lease


def restore(tx: Transaction, lease: Lease, note: str) -> None:
    """Claim the lease as it was.

    Raises AddressInUse where somebody else has the address by now, AlreadyAllocated where the attachment has
    another one of the same range set.
    """
    text, holder = format_address(lease.address), tx.holder(lease.address)
    if holder is not None:
        raise AddressInUse(f"{text} is held by {holder_text(holder)} by now", "nothing was changed")
    for other in tx.held_by(lease.attachment):
        if other.range_set == lease.range_set and other.address.family == lease.address.family:
            raise AlreadyAllocated(
                f"{holder_text(lease)} holds {format_address(other.address)} by now", f"it does not need {text}"
            )
    tx.claim(lease, Cause.RESTORE, note)
