"""StoreContract: the suite that every lease store passes. Subclass it, say how to open yours, run pytest.

class TestMyStore(StoreContract):
    @pytest.fixture
    def url(self, tmp_path):
        return f"mine://{tmp_path}/leases"
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from ipam import allocator
from ipam.errors import AddressInUse, CniError, Exhausted
from ipam.model import CLAIM, DROP, IPV4, IPV6, Address, Attachment, Cause, Host, Lease, Network, Pod, Range, RangeSet
from ipam.model import StoreConfig as Config
from ipam.registry import open_store
from ipam.store import Store, Trait, Transaction

NETWORK = "testnet"
BOOT = "00000000-0000-4000-8000-000000000001"
NEXT_BOOT = "00000000-0000-4000-8000-000000000002"
RACERS = 8
ROUNDS = 12


def ipv4(text: str) -> Address:
    """10.0.0.x from its last number, or an address from dotted text."""
    value = 0
    for part in text.split("."):
        value = value << 8 | int(part)
    return Address(IPV4, value)


def small_range(last: int = 14) -> Range:
    """10.0.0.1 to 10.0.0.`last` of 10.0.0.0/24, gateway 10.0.0.1."""
    base = ipv4("10.0.0.0").value
    return Range(IPV4, base, 24, base + 1, base + last, Address(IPV4, base + 1))


def huge_range() -> Range:
    """fd00::/64, which nobody can enumerate."""
    base = 0xFD00 << 112
    return Range(IPV6, base, 64, base + 1, base + (1 << 64) - 1, Address(IPV6, base + 1))


def network(*ranges: Range) -> Network:
    """A network with one range set for each range."""
    return Network(NETWORK, tuple(RangeSet(index, (rng,)) for index, rng in enumerate(ranges)))


def who(name: str, ifname: str = "eth0") -> Attachment:
    """An attachment."""
    return Attachment(name, ifname)


class Ticking:
    """A clock that moves on by a second each time it is read."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        self.now += 1
        return self.now


class StoreContract:
    """What MUST hold of any store; `url` is what a subclass has to provide."""

    lock_timeout = 30.0

    @pytest.fixture
    def url(self) -> str:
        """The URL of an empty store, of this test alone."""
        raise NotImplementedError("a subclass says which store")

    @pytest.fixture
    def clock(self) -> Ticking:
        """The store's clock."""
        return Ticking()

    @pytest.fixture
    def reopen(self, url: str, clock: Ticking) -> Iterator[Callable[..., Store]]:
        """Open the store (again), as another process would: on this node, or in another boot of it."""
        opened: list[Store] = []

        def open_again(node: str = "node-a", boot: str = BOOT) -> Store:
            store = open_store(Config(url, lock_timeout=self.lock_timeout), Host(node, boot, clock))
            opened.append(store)
            return store

        yield open_again
        for store in opened:
            store.close()

    @pytest.fixture
    def store(self, reopen: Callable[..., Store]) -> Store:
        """The store, open and empty."""
        return reopen()

    @staticmethod
    def add(store: Store, name: str, *ranges: Range, boot: str = BOOT, node: str = "node-a") -> list[Lease]:
        """What ADD does, and its leases."""
        net, host = network(*(ranges or (small_range(),))), Host(node, boot, lambda: 1_700_000_000.5)
        pod = Pod("default", name, f"uid-{name}")
        return store.transact(NETWORK, lambda tx: allocator.allocate(tx, net, who(name), pod, host))

    @staticmethod
    def delete(store: Store, name: str) -> None:
        """What DEL does."""
        store.transact(NETWORK, lambda tx: allocator.release(tx, who(name), Cause.DEL))

    def test_an_empty_store_has_no_networks_and_no_leases(self, store: Store) -> None:
        assert list(store.networks()) == []
        assert list(store.leases(NETWORK)) == []
        assert list(store.history(NETWORK)) == []

    def test_a_claimed_lease_is_there_with_all_that_was_recorded(self, store: Store) -> None:
        leases = self.add(store, "one")
        assert list(store.leases(NETWORK)) == leases
        (lease,) = leases
        assert lease.address == ipv4("10.0.0.2")
        assert lease.pod == Pod("default", "one", "uid-one")
        assert (lease.boot, lease.node, lease.range_set) == (BOOT, "node-a", 0)

    def test_the_network_of_a_lease_is_listed(self, store: Store) -> None:
        self.add(store, "one")
        assert list(store.networks()) == [NETWORK]

    def test_leases_come_in_address_order(self, store: Store) -> None:
        def claim(tx: Transaction) -> None:
            for text in ("10.0.0.10", "10.0.0.9", "10.0.0.100"):
                tx.claim(Lease(ipv4(text), who(text), 0), Cause.ADD)
            tx.claim(Lease(Address(IPV6, 5), who("six"), 1), Cause.ADD)

        store.transact(NETWORK, claim)
        found = [lease.address for lease in store.leases(NETWORK)]
        assert found == [ipv4("10.0.0.9"), ipv4("10.0.0.10"), ipv4("10.0.0.100"), Address(IPV6, 5)]
        assert found == [lease.address for lease in store.transact(NETWORK, lambda tx: list(tx.leases()))]

    def test_networks_do_not_see_each_other(self, store: Store) -> None:
        self.add(store, "one")
        other = Lease(ipv4("10.0.0.2"), who("two"), 0)
        store.transact("other", lambda tx: tx.claim(other, Cause.ADD))
        assert [lease.attachment for lease in store.leases(NETWORK)] == [who("one")]
        assert [lease.attachment for lease in store.leases("other")] == [who("two")]

    def test_a_leased_address_cannot_be_claimed(self, store: Store) -> None:
        (lease,) = self.add(store, "one")
        with pytest.raises(AddressInUse):
            store.transact(NETWORK, lambda tx: tx.claim(Lease(lease.address, who("two"), 0), Cause.ADD))
        assert list(store.leases(NETWORK)) == [lease]

    def test_an_exception_in_a_change_rolls_it_back_and_travels_on(self, store: Store) -> None:
        self.add(store, "one")

        def change(tx: Transaction) -> None:
            tx.claim(Lease(ipv4("10.0.0.7"), who("two"), 0), Cause.ADD)
            tx.drop(next(tx.leases()), Cause.DEL)
            raise LookupError("changed my mind")

        before = list(store.leases(NETWORK))
        with pytest.raises(LookupError, match="changed my mind"):
            store.transact(NETWORK, change)
        assert list(store.leases(NETWORK)) == before
        assert store.transact(NETWORK, lambda tx: tx.cursor(0)) == ipv4("10.0.0.2")

    def test_a_transaction_sees_its_own_claims_and_drops(self, store: Store) -> None:
        (kept,) = self.add(store, "one")

        def change(tx: Transaction) -> None:
            new = Lease(ipv4("10.0.0.3"), who("two"), 0)
            tx.claim(new, Cause.ADD)
            assert tx.holder(new.address) == new
            assert tx.held_by(who("two")) == [new]
            assert tx.cursor(0) == new.address
            assert tx.next_free(small_range(), kept.address.value) == ipv4("10.0.0.4").value
            tx.drop(kept, Cause.DEL)
            assert tx.holder(kept.address) is None
            assert tx.held_by(who("one")) == []
            assert tx.next_free(small_range(), ipv4("10.0.0.1").value) == kept.address.value
            assert list(tx.leases()) == [new]
            tx.drop(new, Cause.DEL)
            assert list(tx.leases()) == []

        store.transact(NETWORK, change)
        assert list(store.leases(NETWORK)) == []

    def test_an_address_can_be_dropped_and_claimed_again_in_one_change(self, store: Store) -> None:
        (old,) = self.add(store, "one")
        new = Lease(old.address, who("two"), 0, since=5.0)

        def change(tx: Transaction) -> None:
            tx.drop(old, Cause.DEL)
            tx.claim(new, Cause.ADD)

        store.transact(NETWORK, change)
        assert list(store.leases(NETWORK)) == [new]
        assert store.transact(NETWORK, lambda tx: tx.held_by(who("one"))) == []

    def test_dropping_an_absent_lease_is_no_error(self, store: Store) -> None:
        (lease,) = self.add(store, "one")
        self.delete(store, "one")
        store.transact(NETWORK, lambda tx: tx.drop(lease, Cause.DEL))
        assert list(store.leases(NETWORK)) == []

    def test_a_drop_leaves_the_lease_that_another_has_there_by_now(self, store: Store) -> None:
        (lease,) = self.add(store, "one")
        stranger = lease.replace(attachment=who("two"))
        store.transact(NETWORK, lambda tx: tx.drop(stranger, Cause.DEL))
        assert list(store.leases(NETWORK)) == [lease]

    def test_held_by_finds_records_of_the_container_alone_too(self, store: Store) -> None:
        old = Lease(ipv4("10.0.0.5"), Attachment("one", ""), None)
        own = Lease(ipv4("10.0.0.6"), who("one"), 0)

        def change(tx: Transaction) -> list[Lease]:
            tx.claim(old, Cause.FOUND)
            tx.claim(own, Cause.ADD)
            tx.claim(Lease(ipv4("10.0.0.7"), who("one", "eth1"), 0), Cause.ADD)
            return tx.held_by(who("one"))

        assert store.transact(NETWORK, change) == [old, own]
        assert store.transact(NETWORK, lambda tx: tx.held_by(who("one"))) == [old, own]

    def test_next_free_finds_the_one_hole_in_a_full_range(self, store: Store) -> None:
        rng = small_range(200)

        def fill(tx: Transaction) -> None:
            for value in range(rng.start, rng.end + 1):
                if value != rng.start + 150:
                    tx.claim(Lease(Address(IPV4, value), who(f"c{value}"), 0), Cause.ADD)

        store.transact(NETWORK, fill)
        assert store.transact(NETWORK, lambda tx: tx.next_free(rng, None)) == rng.start + 150
        assert store.transact(NETWORK, lambda tx: tx.next_free(rng, rng.start + 150)) is None

    def test_next_free_stays_within_the_range(self, store: Store) -> None:
        def ask(tx: Transaction) -> list[int | None]:
            rng = small_range(3)
            return [tx.next_free(rng, after) for after in (None, rng.start, rng.end - 1, rng.end)]

        base = ipv4("10.0.0.0").value
        assert store.transact(NETWORK, ask) == [base + 1, base + 2, base + 3, None]

    def test_a_slash_64_is_not_enumerated(self, store: Store) -> None:
        rng = huge_range()
        edge = rng.start + (1 << 40)

        def claim(tx: Transaction) -> list[int | None]:
            for value in (rng.start, edge, edge + 1):
                tx.claim(Lease(Address(IPV6, value), who(f"c{value:x}"), 0), Cause.ADD)
            return [tx.next_free(rng, after) for after in (None, edge - 1, rng.end - 1)]

        expected = [rng.start + 1, edge + 2, rng.end]
        assert store.transact(NETWORK, claim) == expected
        again = [None, edge - 1, rng.end - 1]
        assert store.transact(NETWORK, lambda tx: [tx.next_free(rng, after) for after in again]) == expected

    def test_round_robin_goes_on_after_a_release(self, store: Store) -> None:
        for name in ("one", "two"):
            self.add(store, name)
        self.delete(store, "one")
        (lease,) = self.add(store, "three")
        assert lease.address == ipv4("10.0.0.4")

    def test_an_exhausted_range_leaves_the_other_range_set_untouched(self, store: Store) -> None:
        tiny, big = small_range(2), huge_range()
        self.add(store, "one", tiny, big)
        with pytest.raises(Exhausted):
            self.add(store, "two", tiny, big)
        assert {lease.attachment for lease in store.leases(NETWORK)} == {who("one")}
        assert len(list(store.leases(NETWORK))) == 2

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

    def test_history_tells_of_every_claim_and_drop_in_order(self, store: Store) -> None:
        if Trait.HISTORY not in store.traits:
            pytest.skip("the store does not promise it")
        (one,), (two,) = self.add(store, "one"), self.add(store, "two")
        self.delete(store, "one")
        events = list(store.history(NETWORK))
        assert [(event.what, event.lease, event.cause) for event in events] == [
            (CLAIM, one, Cause.ADD),
            (CLAIM, two, Cause.ADD),
            (DROP, one, Cause.DEL),
        ]
        assert {event.network for event in events} == {NETWORK}
        assert [event.time for event in events] == sorted(event.time for event in events)
        assert list(store.history(NETWORK, who=who("one"))) == [events[0], events[2]]
        assert list(store.history(NETWORK, address=two.address)) == [events[1]]
        assert list(store.history(NETWORK, since=events[1].time)) == events[1:]

    def test_a_failed_change_leaves_no_history(self, store: Store) -> None:
        (lease,) = self.add(store, "one")
        before = list(store.history(NETWORK))
        with pytest.raises(AddressInUse):
            store.transact(NETWORK, lambda tx: tx.claim(Lease(lease.address, who("two"), 0), Cause.ADD))
        assert list(store.history(NETWORK)) == before

    def test_forgetting_keeps_the_claims_of_leases_still_held(self, store: Store) -> None:
        if Trait.HISTORY not in store.traits:
            pytest.skip("the store does not promise it")
        (one,), (two,) = self.add(store, "one"), self.add(store, "two")
        self.delete(store, "one")
        (last,) = self.add(store, "three")
        assert store.forget(NETWORK, before=2e9) == 2
        assert [event.lease for event in store.history(NETWORK)] == [two, last]
        assert list(store.leases(NETWORK)) == [two, last]
        self.delete(store, "two")
        assert one.address not in [lease.address for lease in store.leases(NETWORK)]
        assert next(iter(store.history(NETWORK, who=who("two")))).lease == two

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

    def test_check_finds_a_usable_store_usable(self, store: Store) -> None:
        store.check()
        self.add(store, "one")
        store.check()

    def test_only_errors_of_the_taxonomy_come_out(self, store: Store) -> None:
        with pytest.raises(CniError):
            self.add(store, "one", small_range(1))


_RACER = f"""
import sys
from ipam import allocator
from ipam.model import Cause, Host, NO_POD, StoreConfig
from ipam.registry import open_store
from ipam.testing import NETWORK, huge_range, network, who
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
