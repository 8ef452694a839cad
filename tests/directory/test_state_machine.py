"""Any sequence of calls, guests, kills, reboots and restored backups: the store stays what a plain dict says."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from backends.directory import leasefile
from ipam.address import format_address
from ipam.errors import CniError
from ipam.model import IPV6, Address, Range
from ipam.testing.fixtures import small_range
from tests.directory.guest import Guest
from tests.directory.killing import run_and_die
from tests.directory.node import NODE, Node, address, assert_sound

_BASE6 = 0xFD00 << 112
SMALL = small_range(7)
SMALL6 = Range(IPV6, _BASE6, 124, _BASE6 + 1, _BASE6 + 6, Address(IPV6, _BASE6 + 1))
NAMES = st.sampled_from(["c1", "c2", "c3", "c4"])
DUAL = st.booleans()
PLACES = st.sampled_from([f"10.0.0.{last}" for last in range(2, 8)] + [f"fd00::{last}" for last in range(2, 7)])
REQUESTS = st.none() | st.sampled_from(["10.0.0.1", "10.0.0.3", "10.0.0.4"])

Leases = dict[str, str]


def ranges(dual: bool) -> list[Range]:
    """The range sets of a call."""
    return [SMALL, SMALL6] if dual else [SMALL]


def every_address(rng: Range) -> set[str]:
    """What may be handed out of a range."""
    values = range(rng.start, rng.end + 1)
    return {format_address(Address(rng.family, value)) for value in values} - {format_address(rng.gateway)}


class Model:
    """What should be: `files` by address, and what the last call knew of each: its container and its boot."""

    def __init__(self, is_marked: Callable[[str, str], bool]) -> None:
        self.is_marked = is_marked  # whether the file of an address says that it was made in a boot
        self.files: Leases = {}
        self.known: dict[str, tuple[str, str]] = {}
        self.blocked: set[str] = set()
        self.boot = "boot-1"
        self.told_boot = ""

    def settle(self) -> None:
        """Any call under the lock: what is not known of a file is found now; of the last boot, if it is marked so."""
        known = {}
        for place, name in self.files.items():
            holder, boot = self.known.get(place, ("", ""))
            if holder != name:
                boot = self.told_boot if self.told_boot and self.is_marked(place, self.told_boot) else self.boot
            known[place] = (name, boot)
        self.known = known

    def stale(self) -> set[str]:
        """What ADD, DEL or GC reclaims before it does anything else."""
        if self.told_boot == self.boot:
            return set()
        return {place for place, (_, boot) in self.known.items() if boot != self.boot}

    def room(self, name: str, dual: bool, requested: str | None) -> list[set[str]] | None:
        """From what an ADD chooses in each range set; None where it must be refused."""
        left = {place: holder for place, holder in self.files.items() if place not in self.stale()}
        choices = []
        for rng in ranges(dual):
            places = every_address(rng)
            choice = places - set(left) - self.blocked
            if requested and rng is SMALL:
                choice &= {requested}
            if not choice or any(left.get(place) == name for place in places):
                return None
            choices.append(choice)
        return choices

    def drop(self, places: set[str]) -> None:
        """A call dropped these."""
        for place in places:
            del self.files[place], self.known[place]

    def claim(self, name: str, places: list[str]) -> None:
        """A call claimed these."""
        for place in places:
            self.files[place] = name
            self.known[place] = (name, self.boot)


class StoreMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="ipam-machine-"))
        self.node = Node(self.root / "networks", boot="boot-1")
        self.guest = Guest(self.node.directory)
        self.model = Model(self._is_marked)
        self.backup: Leases | None = None
        self.count = 0

    def _is_marked(self, place: str, boot: str) -> bool:
        directory = os.open(self.node.directory, os.O_RDONLY)
        try:
            return leasefile.made_in(boot, address(place), directory)
        finally:
            os.close(directory)

    def teardown(self) -> None:
        if hasattr(self, "root"):
            try:
                self.look()
            finally:
                shutil.rmtree(self.root)

    @rule(name=NAMES, dual=DUAL, requested=REQUESTS)
    def add(self, name: str, dual: bool, requested: str | None) -> None:
        self.model.settle()
        room = self.model.room(name, dual, requested)
        try:
            places = self._add(name, dual, requested)
        except CniError:
            assert room is None
            return
        assert room is not None
        assert all(place in choice for place, choice in zip(places, room, strict=True))
        self._reclaim()
        self.model.claim(name, places)

    def _add(self, name: str, dual: bool, requested: str | None) -> list[str]:
        return self.node.add(name, *ranges(dual), requested=[requested] if requested else [])

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        self.model.settle()
        own = {place for place, holder in self.model.files.items() if holder == name}
        own -= self.model.stale()
        assert set(self.node.delete(name)) == own
        self._reclaim()
        self.model.drop(own)

    @rule(valid=st.sets(NAMES))
    def collect(self, valid: set[str]) -> None:
        self.model.settle()
        orphans = {place for place, holder in self.model.files.items() if holder not in valid} - self.model.stale()
        assert set(self.node.collect(*valid)) == orphans
        self._reclaim()
        self.model.drop(orphans)

    def _reclaim(self) -> None:
        self.model.drop(self.model.stale())
        self._ask_for_the_boot()

    def _ask_for_the_boot(self) -> None:
        """Where there is nothing to reclaim, a store need not have written down in which boot it was asked."""
        told = self.node.transact(lambda tx: tx.last_boot(NODE)) or ""
        assert told in ("", self.model.told_boot, self.model.boot)
        self.model.told_boot = told

    @rule(place=PLACES, name=NAMES)
    def guest_adds(self, place: str, name: str) -> None:
        if not (self.node.directory / place).exists():
            self.guest.add(place, name, cursor=int(":" in place))
            self.model.files[place] = name

    @rule(name=NAMES)
    def guest_deletes(self, name: str) -> None:
        self.node.directory.mkdir(parents=True, exist_ok=True)
        self.guest.delete(name)
        self.model.files = {place: holder for place, holder in self.model.files.items() if holder != name}

    @rule(place=PLACES)
    def guest_crashes(self, place: str) -> None:
        if not (self.node.directory / place).exists():
            self.guest.crash(place)

    @rule(place=PLACES)
    def junk_comes(self, place: str) -> None:
        if not (self.node.directory / place).exists():
            self.guest.add(place, "\0junk")
            self.model.blocked.add(place)

    @precondition(lambda self: self.model.blocked)
    @rule()
    def junk_goes(self) -> None:
        (self.node.directory / self.model.blocked.pop()).unlink()

    @rule()
    def reboot(self) -> None:
        self.count += 1
        self.node.boot = self.model.boot = f"boot-{self.count + 1}"

    @rule()
    def clock_jumps_back(self) -> None:
        self.count += 1
        self.node.clock.now -= 1000 + self.count / 1000  # type: ignore[attr-defined]

    @rule()
    def forget(self) -> None:
        self.node.forget()
        self.model.settle()

    @rule()
    def look(self) -> None:
        assert_sound(self.node, SMALL, SMALL6, blocked=self.model.blocked)
        self.model.settle()

    @rule()
    def records_are_wiped(self) -> None:
        shutil.rmtree(self.node.root / ".ipam", ignore_errors=True)
        self.model.known.clear()
        self.model.told_boot = ""

    @precondition(lambda self: self.node.directory.exists())
    @rule()
    def backup_is_made(self) -> None:
        shutil.rmtree(self.root / "backup", ignore_errors=True)
        shutil.copytree(self.node.directory, self.root / "backup")
        self.backup, self.blocked = dict(self.model.files), set(self.model.blocked)

    @precondition(lambda self: self.backup is not None)
    @rule()
    def backup_is_restored(self) -> None:
        assert self.backup is not None
        shutil.rmtree(self.node.directory, ignore_errors=True)
        shutil.copytree(self.root / "backup", self.node.directory)
        self.model.files, self.model.blocked = dict(self.backup), set(self.blocked)

    @rule(name=NAMES, dual=DUAL, requested=REQUESTS, last=st.integers(1, 25), again=st.integers(0, 12))
    def add_is_killed(self, name: str, dual: bool, requested: str | None, last: int, again: int) -> None:
        self.model.settle()
        room = self.model.room(name, dual, requested)
        died = self._die(lambda: self._add(name, dual, requested), last, again)
        # A lease that was only found again, after the kill, has no range set.
        claimed = {
            format_address(lease.address)
            for lease in self.node.records_of_leases()
            if lease.attachment.container_id == name and lease.range_set is not None and lease.boot == self.model.boot
        } - {place for place, known in self.model.known.items() if known == (name, self.model.boot)}
        if room is None:
            assert not claimed
        elif claimed or not died:
            assert len(claimed) == len(room), "half of an ADD was done"
            assert all(choice & claimed for choice in room)
        self._dropped(self.model.stale(), claimed)

    @rule(name=NAMES, last=st.integers(1, 15), again=st.integers(0, 12))
    def delete_is_killed(self, name: str, last: int, again: int) -> None:
        self.model.settle()
        own = {place for place, holder in self.model.files.items() if holder == name}
        died = self._die(lambda: self.node.delete(name), last, again)
        assert died or not own & set(self.node.leases())
        self._dropped(own | self.model.stale(), set())

    @rule(last=st.integers(1, 15), again=st.integers(0, 12), forget=st.booleans())
    def upkeep_is_killed(self, last: int, again: int, forget: bool) -> None:
        self._die(self.node.forget if forget else self.node.settle, last, again)
        self.model.settle()

    def _die(self, action: Callable[[], object], last: int, again: int) -> bool:
        died = run_and_die(action, last)
        if again:
            run_and_die(self.node.settle, again)
        self.node.settle()
        return died

    def _dropped(self, about_to_go: set[str], claimed: set[str]) -> None:
        """After a kill: nothing went that was not about to go, and what stayed is known as before."""
        self._ask_for_the_boot()
        left = {format_address(lease.address): lease for lease in self.node.records_of_leases()}
        assert set(self.model.files) - set(left) <= about_to_go
        for place, lease in left.items():
            known = (lease.attachment.container_id, lease.boot)
            assert place in claimed or known == self.model.known[place]
            self.model.known[place] = known
        self.model.files = {place: lease.attachment.container_id for place, lease in left.items()}
        self.model.known = {place: self.model.known[place] for place in left}

    @invariant()
    def leases_are_the_models(self) -> None:
        if hasattr(self, "model"):
            assert self.node.leases() == self.model.files


StoreMachine.TestCase.settings = settings(
    max_examples=150,
    stateful_step_count=25,
    deadline=None,
    database=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestAnySequence = StoreMachine.TestCase
