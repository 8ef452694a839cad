"""Forgetting old events without losing a lease, or the chain: what stands for them is in the chain's row."""

from __future__ import annotations

from backends.sql.chains import digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backends.sql.database import Session

_BEHIND_ALL = (1 << 63) - 1  # no event has that id


def forget(session: Session, network: int, name: str, before: float) -> int:
    """Remove events older than `before` but for claims of leases still held; how many. Call it under the lock.

    All events from the first on that is not older stay as they are, for they are links of a chain. Of those before it
    the chain's row tells how many are gone, a digest of the claims that were kept, and the link that the next event
    follows.
    """
    for _written, _last, forgotten, begins, head, _carried in session.fetch("chain", {"net": network}):
        of_chain = {"net": network, "begins": begins}
        recent = session.fetch("first_recent", {**of_chain, "before": before})
        until = recent[0][0] if recent else _BEHIND_ALL
        ends = session.fetch("link_before", {**of_chain, "until": until})
        removed = session.run("forget", {"net": network, "until": until, "before": before})
        if removed:
            kept = session.fetch("linked_before", {"net": network, "until": until})
            if not recent:  # SQLite numbers the next event by the last one that is there
                until = kept[-1][0] + 1 if kept else 0
            seal = {"forgotten": forgotten + removed, "begins": until, "carried": digest(name, kept)}
            session.run("seal_chain", {"net": network, **seal, "head": bytes(ends[0][0] if ends else head)})
        return removed
    return 0
