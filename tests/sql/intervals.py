"""What must hold of the tables, whatever has happened to the store: free addresses, and the chain of events."""

from itertools import pairwise

from sqlalchemy import create_engine, text

from backends.sql.keys import SPACES, after, key_of
from tests.sql.allocation import opened


def assert_sound(url: str) -> None:
    """Each address of each network is leased, rests, or is in one free interval, and no two of these touch.

    Every event follows from the one before it, up to the last one.
    """
    engine = create_engine(url)
    with engine.connect() as connection:
        for (network,) in connection.execute(text("SELECT id FROM networks")).all():
            free, leased, resting = (
                [tuple(map(bytes, row)) for row in connection.execute(text(query), {"network": network})]
                for query in (
                    "SELECT first, last FROM free WHERE network = :network",
                    "SELECT address, address FROM leases WHERE network = :network",
                    "SELECT address, address FROM resting WHERE network = :network",
                )
            )
            parts = sorted([*free, *leased, *resting])
            for family, last in SPACES.items():
                of_family = [part for part in parts if part[0][0] == family]
                assert of_family[0][0] == key_of(family, 0)
                assert of_family[-1][1] == key_of(family, last)
                for (_, end), (begin, _) in pairwise(of_family):
                    assert after(end) == begin
            assert not {after(end) for _, end in free} & {begin for begin, _ in free}
    engine.dispose()
    with opened(url) as store:
        for name in store.networks():
            verdict = store.verify(name)
            assert (verdict.links, verdict.problems) == (sum(1 for _ in store.history(name)), ())
