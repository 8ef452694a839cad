"""Proof: a history that nobody touched is what was written; one that somebody did touch tells where."""

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from ipam import allocator, chain
from ipam.model import NO_POD, Cause, Host, StoreConfig
from ipam.registry import open_store
from ipam.store import Store
from ipam.testing.fixtures import BOOT, NETWORK, NEXT_BOOT, Ticking, network, small_range, who

CHANGED, MOVED = "it does not follow from the event before it: it was changed", "it was moved or put in"
CUT = "the end was cut off"


class Written:
    """A store with some history, and what verify() says of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.history = root / ".ipam" / NETWORK / "history"
        self.clock = Ticking()
        self._names = count(1)
        self._store: Store | None = None

    @property
    def host(self) -> Host:
        """This host."""
        return Host("node", BOOT, self.clock)

    @property
    def store(self) -> Store:
        """The store, open."""
        if self._store is None:
            self._store = open_store(StoreConfig(f"file://{self.root}"), self.host)
        return self._store

    def use(self, store: Store) -> None:
        """Work with a store that was opened otherwise."""
        self.close()
        self._store = store

    def close(self) -> None:
        """Let go of the store: the next look is another process's."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def add(self, name: str) -> None:
        """What ADD does."""
        net = network(small_range(200))
        self.store.transact(NETWORK, lambda tx: allocator.allocate(tx, net, who(name), NO_POD, self.host))

    def delete(self, name: str) -> None:
        """What DEL does."""
        self.store.transact(NETWORK, lambda tx: allocator.release(tx, who(name), Cause.DEL))

    def fill(self, containers: int) -> None:
        """So many containers, of which every third goes again."""
        names = [f"c{next(self._names)}" for _ in range(containers)]
        for number, name in enumerate(names):
            self.add(name)
            if number % 3 == 2:
                self.delete(names[number - 1])

    def problems(self) -> list[tuple[int, str]]:
        """The number of each event that is not as it was written, and why."""
        return [(each.number, each.why) for each in self.store.verify(NETWORK).problems]

    def lines(self) -> list[bytes]:
        """The history file."""
        return self.history.read_bytes().splitlines(keepends=True)

    def put(self, lines: list[bytes]) -> None:
        """Another history file, in the place of the one that is there, as an intruder would."""
        self.close()
        self.history.write_bytes(b"".join(lines))


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Written]:
    """A store with forty events."""
    written = Written(tmp_path / "networks")
    written.fill(30)
    yield written
    written.close()


def test_what_nobody_touched_is_as_it_was_written(written: Written) -> None:
    verdict = written.store.verify(NETWORK)
    assert (verdict.events, verdict.links, verdict.sealed, verdict.problems) == (40, 40, 0, ())
    parts = chain.split(written.lines()[-1])
    assert parts is not None
    assert verdict.last == chain.text(parts[1]).decode()
    written.close()
    assert written.store.verify(NETWORK) == verdict


def test_a_network_without_history_has_no_problems(tmp_path: Path) -> None:
    written = Written(tmp_path)
    assert written.store.verify("nothing").events == 0
    written.close()


@pytest.mark.parametrize("place", [0, 1, 17, 38, 39])
def test_a_flipped_bit_is_found_wherever_it_is(written: Written, place: int) -> None:
    lines = written.lines()
    for at in random.Random(place).sample(range(len(lines[place]) - 1), 12):
        changed = bytearray(lines[place])
        changed[at] ^= 1
        if changed[at] == ord("\n"):
            continue
        written.put([*lines[:place], bytes(changed), *lines[place + 1 :]])
        assert written.problems()[0][0] == place + 1, at
    written.put(lines)
    assert written.problems() == []


@pytest.mark.parametrize("place", [0, 7, 38])
def test_a_removed_line_is_found(written: Written, place: int) -> None:
    lines = written.lines()
    written.put([*lines[:place], *lines[place + 1 :]])
    (number, why), *_ = written.problems()
    assert (number, CHANGED in why) == (place + 1, True)


@pytest.mark.parametrize("place", [0, 7, 37])
def test_two_lines_that_changed_places_are_found(written: Written, place: int) -> None:
    lines = written.lines()
    lines[place], lines[place + 1] = lines[place + 1], lines[place]
    written.put(lines)
    (number, why), *_ = written.problems()
    assert (number, MOVED in why) == (place + 1, True)


@pytest.mark.parametrize("line", [b'{"time":1}\n', b"\n", b"junk\n"])
def test_a_line_that_was_put_in_is_found(written: Written, line: bytes) -> None:
    lines = written.lines()
    written.put([*lines[:9], line, *lines[9:]])
    assert written.problems() == [(10, "it is not part of the chain: damaged, or put in")]
    copy = lines[3]
    written.put([*lines[:9], copy, *lines[9:]])
    assert written.problems()[0] == (10, written.problems()[0][1])


@pytest.mark.parametrize("missing", [1, 5, 40])
def test_an_end_that_was_cut_off_is_found(written: Written, missing: int) -> None:
    lines = written.lines()
    written.put(lines[:-missing])
    (number, why), *_ = written.problems()
    assert (number, CUT in why) == (len(lines) - missing + 1, True)
    assert f"{sum(map(len, lines[-missing:]))} bytes are missing" in why


def test_an_end_that_was_cut_off_stays_found_when_life_goes_on(written: Written) -> None:
    lines = written.lines()
    written.put(lines[:-4])
    written.fill(3)
    assert len(written.lines()) > len(lines) - 4
    (number, why), *_ = written.problems()
    assert (number, CHANGED in why) == (len(lines) - 3, True)


def test_a_history_that_was_removed_is_found(written: Written) -> None:
    written.close()
    written.history.unlink()
    assert CUT in written.problems()[0][1]
    written.add("later")
    assert CHANGED in written.problems()[0][1]


def test_what_others_did_to_the_leases_breaks_nothing(written: Written) -> None:
    (written.root / NETWORK / "10.0.0.150").write_text("theirs\r\neth0")
    (written.root / NETWORK / "10.0.0.2").unlink()
    written.add("after")
    assert {line.partition(b'"cause":"')[2][:5] for line in written.lines()} >= {b'found"'[:5], b"vanis"}
    assert written.problems() == []


def test_a_reboot_breaks_nothing(written: Written) -> None:
    written.close()
    host = Host("node", NEXT_BOOT, written.clock)
    store = open_store(StoreConfig(f"file://{written.root}"), host)
    store.transact(NETWORK, lambda tx: allocator.reclaim_after_reboot(tx, host, shared=False))
    store.close()
    assert written.problems() == []


def test_records_that_were_removed_as_a_whole_begin_a_new_chain(written: Written) -> None:
    written.close()
    shutil.rmtree(written.root / ".ipam")
    written.add("after")
    assert written.problems() == []


def test_an_index_that_was_lost_is_made_anew_from_the_end_of_history(written: Written) -> None:
    written.close()
    (written.root / ".ipam" / NETWORK / "index").unlink()
    written.add("after")
    assert (written.problems(), written.store.verify(NETWORK).links) == ([], 41)


def test_what_others_did_while_the_index_was_lost_breaks_nothing(written: Written) -> None:
    written.close()
    (written.root / ".ipam" / NETWORK / "index").unlink()
    (written.root / NETWORK / "10.0.0.150").write_text("theirs\r\neth0")
    written.add("after")
    assert (written.problems(), written.store.verify(NETWORK).links) == ([], 42)


def test_an_end_that_was_cut_off_is_found_without_the_index_by_the_leases(written: Written) -> None:
    written.add("last")
    lines = written.lines()
    written.close()
    (written.root / ".ipam" / NETWORK / "index").unlink()
    written.history.write_bytes(b"".join(lines[:-1]))
    ((number, why),) = written.problems()
    assert (number, why.startswith("10.0.0.32 is leased"), CUT in why) == (41, True, True)


def test_events_from_before_there_was_a_chain_are_counted_and_not_doubted(written: Written) -> None:
    bare = []
    for line in written.lines()[:10]:
        parts = chain.split(line)
        assert parts is not None
        bare.append(parts[0] + b"\n")
    written.close()
    shutil.rmtree(written.root / ".ipam")
    written.history.parent.mkdir(parents=True)
    written.history.write_bytes(b"".join(bare))
    written.fill(2)
    verdict = written.store.verify(NETWORK)
    assert verdict.problems == ()
    assert verdict.events > verdict.links > 0


@pytest.mark.parametrize("keep", [0, 10, 25, 39])
def test_forgetting_seals_what_was_forgotten(written: Written, keep: int) -> None:
    first = list(written.store.history(NETWORK))[keep].time
    removed = written.store.forget(NETWORK, first)
    verdict = written.store.verify(NETWORK)
    assert (verdict.problems, verdict.sealed) == ((), removed)
    assert verdict.events == 40 - removed == len(list(written.store.history(NETWORK)))
    written.fill(3)
    assert written.problems() == []


def test_forgetting_again_and_again_keeps_the_chain_and_every_lease(written: Written) -> None:
    shuffled = random.Random(3)
    leases = set()
    for turn in range(12):
        for number in range(shuffled.randrange(6)):
            written.add(f"t{turn}-{number}")
        held = sorted(lease.attachment.container_id for lease in written.store.leases(NETWORK))
        for name in shuffled.sample(held, min(3, len(held))):
            written.delete(name)
        events = list(written.store.history(NETWORK))
        written.store.forget(NETWORK, shuffled.choice(events).time)
        assert written.problems() == []
        leases = {lease.attachment for lease in written.store.leases(NETWORK)}
        told = {event.lease.attachment for event in written.store.history(NETWORK)}
        assert leases <= told
    assert leases


def test_a_seal_that_was_changed_is_found(written: Written) -> None:
    middle = list(written.store.history(NETWORK))[20].time
    written.store.forget(NETWORK, middle)
    lines = [line.lstrip(b"\0") for line in written.lines()]
    assert lines[0].startswith(b'{"sealed":')
    written.put([lines[0].replace(b'"removed":', b'"removed":1'), *lines[1:]])
    assert written.problems()[0] == (0, "the seal of what was forgotten was changed")
    written.put([lines[0], lines[2], lines[1], *lines[3:]])
    assert written.problems()[0][1] == "the claims that were kept of forgotten events were changed"


def test_a_call_that_is_killed_anywhere_breaks_nothing(written: Written, one_shot: Path, tmp_path: Path) -> None:
    from tests.daemon.calls import config, environment

    written.close()
    stdin = config(written.root, NETWORK, subnet="10.0.0.0/24")
    for number in range(60):
        env = environment(("ADD", "DEL")[number % 2], f"k{number // 2}")
        with subprocess.Popen([one_shot], env=env, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as call:
            assert call.stdin is not None
            call.stdin.write(stdin)
            call.stdin.close()
            if number % 3:
                os.waitid(os.P_PID, call.pid, os.WEXITED | os.WNOHANG)
                call.kill()
    assert written.problems() == []
