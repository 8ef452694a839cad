"""Free intervals and leases say the same twice: who changes one by hand is found out, and mended."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from ipam.errors import InputOutput
from ipam.model import IPV4, Address, Attachment, Cause, Lease
from ipam.store import Store
from tests.sql.allocation import opened, sqlite_url
from tests.sql.intervals import assert_sound

FIRST = 0x0A140000


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store with leases on .1 to .5, and .3 resting."""
    url = sqlite_url(tmp_path) if request.param == "sqlite" else request.getfixturevalue("postgresql").store()
    with opened(url) as store:
        for number in range(1, 6):
            store.transact("net", lambda tx, number=number: tx.claim(lease(number), Cause.ADD))  # type: ignore[misc]
        store.transact("net", lambda tx: tx.drop(lease(3), Cause.RELEASE, rest=1e6))
    return str(url)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """The store, open."""
    with opened(url) as store:
        yield store


def lease(number: int) -> Lease:
    """A lease on 10.20.0.`number`."""
    return Lease(Address(IPV4, FIRST + number), Attachment(f"c{number}", "eth0"), 0)


def by_hand(url: str, statement: str) -> None:
    """Change the tables as somebody with a client of the database would."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement), {"key": bytes([4, 10, 20, 0, 4]), "until": 4e9})
    engine.dispose()


def test_what_was_not_changed_by_hand_agrees(store: Store, url: str) -> None:
    assert store.audit("net") == store.audit("nobody") == []
    assert_sound(url)
    assert store.cursors("net") == {0: Address(IPV4, FIRST + 5)}


@pytest.mark.parametrize(
    ("statement", "code", "said"),
    [
        ("DELETE FROM leases WHERE address = :key", "lost-address", "from 10.20.0.4 to 10.20.0.4"),
        ("DELETE FROM free WHERE last > :key", "lost-address", "from 10.20.0.6 to 255.255.255.255"),
        ("INSERT INTO free (network, first, last) VALUES (1, :key, :key)", "leased-and-free", "10.20.0.4 is leased"),
        ("INSERT INTO resting (network, address, until) VALUES (1, :key, :until)", "resting-lease", "10.20.0.4"),
        ("UPDATE free SET first = :key WHERE last > :key", "leased-and-free", "10.20.0.5 is leased"),
        ("UPDATE free SET first = last", "lost-address", "from 0.0.0.0 to 10.20.0.0"),
    ],
)
def test_what_was_changed_by_hand_is_found_and_mended(
    statement: str, code: str, said: str, store: Store, url: str
) -> None:
    by_hand(url, statement)
    found = store.audit("net")
    assert (code, True) in [(each[0], said in each[1]) for each in found], found
    held = list(store.leases("net"))
    assert store.repair("net")
    assert store.audit("net") == []
    assert_sound(url)
    assert list(store.leases("net")) == held


@pytest.mark.parametrize("value", ["'text'", "x''", "x'04'", "x'070a140001'", "5"])
def test_what_is_no_address_is_an_error_with_advice_and_no_bug(value: str, tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)  # which takes anything for anything
    with opened(url) as store:
        store.transact("net", lambda tx: tx.claim(lease(1), Cause.ADD))
        store.transact("net", lambda tx: tx.drop(lease(1), Cause.RELEASE, rest=1e6))
        store.transact("net", lambda tx: tx.claim(lease(2), Cause.ADD))
        looks = {
            "leases SET address": lambda: list(store.leases("net")),
            "resting SET address": lambda: list(store.resting("net")),
            "cursors SET address": lambda: store.cursors("net"),
            "events SET address": lambda: list(store.history("net")),
            "free SET first": lambda: store.transact("net", lambda tx: tx.claim(lease(3), Cause.ADD)),
            "free SET last": lambda: store.audit("net"),
        }
        for place, look in looks.items():
            by_hand(url, f"UPDATE OR IGNORE {place} = {value}")
            with pytest.raises(InputOutput, match="in place of an address") as refused:
                look()
            assert "restore it from a backup" in refused.value.details
        assert store.verify("net").problems
