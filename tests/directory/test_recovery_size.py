"""Recovering many leases takes a while: who cannot wait is told so."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from backends.directory import open_store
from ipam.model import StoreConfig
from ipam.plugin import this_host
from ipam.store import Busy, Transaction
from tests.bench.leases import write

COUNT = 4000


def counted(tx: Transaction) -> int:
    return len(list(tx.leases()))


def test_the_recovery_of_many_leases_is_left_to_who_can_wait(tmp_path: Path) -> None:
    first = int(IPv4Address("10.0.0.2"))
    write(tmp_path, "net", first, range(first, first + COUNT))
    if (tmp_path / "net").stat().st_size <= 1 << 16:
        pytest.skip("this file system's directories do not tell how full they are")
    store = open_store(StoreConfig(f"file://{tmp_path}"), this_host())
    with pytest.raises(Busy):
        store.transact_now("net", counted)
    assert store.transact("net", counted) == COUNT
    assert store.transact_now("net", counted) == COUNT
    store.close()


def test_the_recovery_of_a_few_leases_is_not_worth_it(tmp_path: Path) -> None:
    first = int(IPv4Address("10.0.0.2"))
    write(tmp_path, "net", first, range(first, first + 100))
    store = open_store(StoreConfig(f"file://{tmp_path}"), this_host())
    assert store.transact_now("net", counted) == 100
    store.close()


def test_a_long_history_is_not_read_by_who_cannot_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backends.directory.store._LONG", 4096)
    first = int(IPv4Address("10.0.0.2"))
    write(tmp_path, "net", first, range(first, first + 50))
    store = open_store(StoreConfig(f"file://{tmp_path}"), this_host())
    assert store.transact_now("net", counted) == 50
    (tmp_path / "net" / "10.0.0.3").unlink()
    with pytest.raises(Busy):
        store.transact_now("net", counted)
    assert store.transact("net", counted) == 49
    assert store.transact_now("net", counted) == 49
    store.close()
