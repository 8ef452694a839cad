"""The chain of a network's events, see ipam.chain: a link in each row, and where it ends in a row of its own."""

from __future__ import annotations

from backends.sql.rows import EVENT_COLUMNS, event_of
from ipam import chain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from backends.sql.database import Session
    from backends.sql.rows import Row, Values


def lengthen(session: Session, network: int, name: str, rows: list[Values]) -> None:
    """Give new rows of `events`, in their order, the links that follow the last one, and say where the chain ends now.

    Call it under the network's lock. `network` is its id.
    """
    written, last = 0, chain.START
    found = session.fetch("chain", {"net": network})
    for row in found:
        written, last = row[0], bytes(row[1])
    for values in rows:
        # What is digested is what will be read, also where a text is kept as another.
        last = chain.link(last, chain.body(event_of(name, [values[column] for column in EVENT_COLUMNS])))
        values["link"] = last
    written += len(rows)
    if found:
        session.run("lengthen_chain", {"net": network, "written": written, "last": last})
        return
    session.run(
        "add_chain",
        {
            "network": network,
            **{"written": written, "last": last},
            **{"forgotten": 0, "begins": 0, "head": chain.START, "carried": chain.START},
        },
    )


def digest(name: str, rows: Iterable[Row]) -> bytes:
    """A digest of events outside of the chain, by their rows of `id`, `link` and EVENT_COLUMNS."""
    found = chain.START
    for row in rows:
        found = chain.link(found, bytes(row[1]) + chain.body(event_of(name, row[2:])))
    return found
