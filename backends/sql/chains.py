"""The chain of a network's events, see ipam.chain: a link in each row, and where it ends in a row of its own."""

from __future__ import annotations

from backends.sql.rows import EVENT_COLUMNS, event_of
from ipam import chain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from backends.sql.database import Session
    from backends.sql.rows import Row, Values

    End = tuple[int, bytes]  # how many events there were ever, and the last one's link

NOTHING: End = (0, chain.START)
"""Where a chain without events ends."""


def open_network(session: Session, name: str) -> Sequence[Row]:
    """Lock the rows of a network and of its chain: its id, the schema, and an End. Nothing where there is none."""
    values: Values = {"name": name}
    rows = session.fetch("open", values)
    if not rows and (known := session.fetch("find", values)):
        rows = session.fetch("open", values)  # somebody has just made it
        if not rows:  # somebody removed what it had of its chain: that shows, and costs no lease
            begin(session, known[0][0])
            rows = session.fetch("open", values)
    return rows


def begin(session: Session, network: int) -> None:
    """The chain of a new network, which ends at NOTHING."""
    end = dict(zip(("written", "last"), NOTHING, strict=True))
    seal = {"forgotten": 0, "begins": 0, "head": chain.START, "carried": chain.START}
    session.run("add_chain", {"network": network, **end, **seal})


def lengthen(session: Session, network: int, name: str, end: End, rows: list[Values]) -> End:
    """Give new rows of `events`, in their order, the links that follow `end`, and say where the chain ends now.

    Call it under the network's lock. `network` is its id.
    """
    written, last = end
    for values in rows:
        # What is digested is what will be read, also where a text is kept as another.
        last = chain.link(bytes(last), chain.body(event_of(name, [values[column] for column in EVENT_COLUMNS])))
        values["link"] = last
    written += len(rows)
    session.run("lengthen_chain", {"net": network, "written": written, "last": last})
    return written, last


def digest(name: str, rows: Iterable[Row]) -> bytes:
    """A digest of events outside of the chain, by their rows of `id`, `link` and EVENT_COLUMNS."""
    found = chain.START
    for row in rows:
        found = chain.link(found, bytes(row[1]) + chain.body(event_of(name, row[2:])))
    return found
