"""What must hold of the table of free addresses, whatever has happened to the store."""

from itertools import pairwise

from sqlalchemy import create_engine, text

from backends.sql.keys import SPACES, after, key_of


def assert_sound(url: str) -> None:
    """Each address of each network is leased, rests, or is in one free interval; and no two intervals touch."""
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
