"""Whether a lease is live, stale or unknown: a verdict on what several witnesses say."""

from __future__ import annotations

from typing import NamedTuple

from ipam.inspection.times import format_duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ipam.model import Host, Lease

LIVE, STALE, UNKNOWN = "live", "stale", "unknown"
DEAD, ENDED, KEPT, PENDING, SILENT = "dead", "ended", "kept", "pending", "silent"

NEEDED = 2
"""So many independent witnesses must call an attachment dead."""


class Sign(NamedTuple):
    """What one witness says of one attachment, and in words why.

    LIVE: it is there. DEAD: it is not. ENDED: it is known, and has ended, which is DEAD with certainty. KEPT: what is
    left of it is there, with nothing running in it, which is DEAD where another says ENDED, and LIVE otherwise.
    PENDING: it was never said to be over, so that it is not stale unless another says ENDED, or that was in an earlier
    boot. SILENT: nothing can be told.
    """

    witness: str
    says: str
    text: str

    def __str__(self) -> str:
        return f"{self.witness}: {self.text}"


class Verdict(NamedTuple):
    """LIVE, STALE or UNKNOWN, and the signs that it stands on."""

    says: str
    signs: tuple[Sign, ...]


def judge(lease: Lease, signs: Iterable[Sign], host: Host, youngest: float) -> Verdict:
    """The verdict on a lease of a node's: stale only if NEEDED witnesses call it dead, and none calls it live.

    Leases of other nodes, those that are younger than `youngest` (seconds), whose container may still be on its way,
    and those that name no interface, which somebody may have made by hand, are never stale.
    """
    age = host.clock() - lease.since if lease.since else None
    elsewhere = lease.node not in ("", host.node)
    boot = _boot(lease, host)
    told = (_elsewhere(lease),) if elsewhere else (_age(age, youngest), boot, *_record(lease), *signs)
    says = {sign.says for sign in told}
    if LIVE in says or (KEPT in says and ENDED not in says):
        return Verdict(LIVE, told)
    young = age is not None and age < youngest
    pending = PENDING in says and ENDED not in says and boot.says != DEAD
    dead = {sign.witness for sign in told if sign.says in (DEAD, ENDED, KEPT)}
    if elsewhere or young or pending or not lease.attachment.ifname or len(dead) < NEEDED:
        return Verdict(UNKNOWN, told)
    return Verdict(STALE, told)


def _age(age: float | None, youngest: float) -> Sign:
    if age is None:
        return Sign("age", SILENT, "not known")
    text = format_duration(age)
    if age < 0:
        text = "made in the future: the clock was set back"
    elif age < youngest:
        text += ", its container may still be on its way"
    return Sign("age", SILENT, text)


def _boot(lease: Lease, host: Host) -> Sign:
    if not lease.boot:
        return Sign("boot", SILENT, "not recorded")
    if lease.boot == host.boot:
        return Sign("boot", SILENT, "this one")
    return Sign("boot", DEAD, f"an earlier one, {lease.boot[:8]}")


def _record(lease: Lease) -> Iterator[Sign]:
    if not lease.attachment.ifname:
        yield Sign("record", SILENT, "no interface is named: made by hand, or by an old host-local")


def _elsewhere(lease: Lease) -> Sign:
    return Sign("node", SILENT, f"it is {lease.node}'s: only there it can be told")


def text_of(signs: Sequence[Sign]) -> str:
    """All evidence on one line."""
    return "; ".join(map(str, signs))
