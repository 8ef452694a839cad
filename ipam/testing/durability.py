"""Contract: other processes, reopening, reboots."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from ipam import allocator
from ipam.model import Host
from ipam.store import Store, Trait
from ipam.testing.fixtures import (
    BOOT,
    NETWORK,
    NEXT_BOOT,
    RACERS,
    ROUNDS,
    StoreTests,
    Ticking,
    ipv4,
    small_range,
    who,
)


class DurabilityContract(StoreTests):
    """What one process was answered, the next one finds."""

    def test_a_store_is_there_once_something_was_claimed(self, store: Store) -> None:
        store.is_there()  # to ask makes nothing
        assert list(store.networks()) == []
        self.add(store, "one")
        assert store.is_there()

    def test_leases_and_cursors_are_there_after_reopening(self, store: Store, reopen: Callable[..., Store]) -> None:
        if Trait.DURABLE not in store.traits:
            pytest.skip("the store does not promise it")
        leases = self.add(store, "one") + self.add(store, "two", small_range())
        self.delete(store, "one")
        store.close()
        again = reopen()
        assert list(again.leases(NETWORK)) == leases[1:]
        assert again.transact(NETWORK, lambda tx: tx.held_by(who("two"))) == leases[1:]
        (lease,) = self.add(again, "three")
        assert lease.address == ipv4("10.0.0.4")

    def test_a_reboot_reclaims_what_the_last_boot_of_this_node_left(
        self, store: Store, reopen: Callable[..., Store]
    ) -> None:
        if Trait.DURABLE not in store.traits:
            pytest.skip("the store does not promise it")
        here, there = Host("node-a", BOOT, Ticking()), Host("node-b", "another", Ticking())
        store.transact(NETWORK, lambda tx: allocator.reclaim_after_reboot(tx, here, shared=True))
        self.add(store, "one")
        self.add(store, "elsewhere", boot="another", node=there.node)
        store.close()
        again = reopen(boot=NEXT_BOOT)
        now = Host("node-a", NEXT_BOOT, Ticking())
        again.transact(NETWORK, lambda tx: allocator.reclaim_after_reboot(tx, now, shared=True))
        assert [lease.attachment for lease in again.leases(NETWORK)] == [who("elsewhere")]
        assert again.transact(NETWORK, lambda tx: tx.last_boot("node-a")) == NEXT_BOOT
        self.add(again, "two", boot=NEXT_BOOT)
        again.transact(NETWORK, lambda tx: allocator.reclaim_after_reboot(tx, now, shared=True))
        assert who("two") in [lease.attachment for lease in again.leases(NETWORK)]

    def test_processes_that_race_never_get_one_address_twice(
        self, store: Store, url: str, reopen: Callable[..., Store]
    ) -> None:
        if Trait.DURABLE not in store.traits:
            pytest.skip("other processes cannot see this store")
        racers = [
            subprocess.Popen([sys.executable, "-c", _RACER, url, str(number)], stdout=subprocess.PIPE, text=True)
            for number in range(RACERS)
        ]
        claimed: list[str] = []
        for racer in racers:
            output, _ = racer.communicate(timeout=120)
            assert racer.returncode == 0
            claimed += output.split()
        assert len(claimed) == RACERS * ROUNDS
        assert len(set(claimed)) == len(claimed)
        found = {str(lease.address.value): lease for lease in reopen().leases(NETWORK)}
        assert len(found) == RACERS * ROUNDS // 2
        assert set(found) <= set(claimed)
        if Trait.CHAINED in store.traits:
            verdict = reopen().verify(NETWORK)
            assert (verdict.links, verdict.problems) == (RACERS * ROUNDS * 3 // 2, ())

    def test_check_finds_a_usable_store_usable(self, store: Store) -> None:
        store.check()
        self.add(store, "one")
        store.check()


_RACER = f"""
import sys
from ipam import allocator
from ipam.model import Cause, Host, NO_POD, StoreConfig
from ipam.registry import open_store
from ipam.testing.fixtures import NETWORK, huge_range, network, who
host = Host("node-a", "{BOOT}", lambda: 1.0)
store = open_store(StoreConfig(sys.argv[1], lock_timeout=60), host)
net = network(huge_range())
for turn in range({ROUNDS}):
    me = who(f"c{{sys.argv[2]}}-{{turn}}")
    (lease,) = store.transact(NETWORK, lambda tx: allocator.allocate(tx, net, me, NO_POD, host))
    print(lease.address.value)
    if turn % 2:
        store.transact(NETWORK, lambda tx: allocator.release(tx, me, Cause.DEL))
store.close()
"""
