"""Many one-shots on one SQLite file: everybody gets through, whoever is killed meanwhile."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipam.address import format_address
from ipam.model import IPV4, Address, Attachment, Cause, Lease, Range
from ipam.store import Transaction
from tests.bench.calls import together
from tests.daemon.calls import address, environment
from tests.sql.allocation import config, opened, sqlite_url
from tests.sql.intervals import assert_sound

AT_ONCE = 200


def held(url: str) -> dict[str, str]:
    """Address to container."""
    with opened(url) as store:
        return {format_address(lease.address): lease.attachment.container_id for lease in store.leases("net")}


def call(one_shot: Path, url: str, command: str, names: Sequence[str]) -> list[bytes]:
    """As many one-shots begun at once; what they said, and all of them must have succeeded."""
    answers = together([str(one_shot)], [environment(command, name) for name in names], config(url))
    assert [answer.stdout for answer in answers if answer.code] == []
    return [answer.stdout for answer in answers]


def test_two_hundred_processes_at_once_all_get_an_address(one_shot: Path, tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    names = [f"c{number}" for number in range(AT_ONCE)]
    said = call(one_shot, url, "ADD", names)
    found = held(url)
    assert {address(stdout) for stdout in said} == set(found)
    assert sorted(found.values()) == sorted(names)
    assert_sound(url)
    call(one_shot, url, "DEL", names[:20])
    assert sorted(held(url).values()) == sorted(names[20:])
    assert_sound(url)


def test_processes_that_are_killed_leave_nothing_half_done(one_shot: Path, tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    stdin = config(url)
    answered = {}
    for number in range(60):
        child = subprocess.Popen(
            [one_shot], env=environment("ADD", f"c{number}"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert child.stdin is not None
        child.stdin.write(stdin)
        child.stdin.close()
        child.stdin = None
        time.sleep(number * 0.0004)
        os.kill(child.pid, signal.SIGKILL)
        stdout, _ = child.communicate()
        if stdout.endswith(b"}") and json.loads(stdout):
            answered[address(stdout)] = f"c{number}"
    call(one_shot, url, "ADD", ["last"])
    found = held(url)
    assert answered.items() <= found.items()
    assert len(set(found.values())) == len(found)
    assert_sound(url)


FIRST = 0x0A000000
STEPS = st.lists(st.tuples(st.sampled_from(["claim", "drop", "rest", "find", "look"]), st.integers(0, 12)), max_size=40)


@given(steps=STEPS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_change_of_many_steps_agrees_with_a_set_of_addresses(steps: list[tuple[str, int]], tmp_path: Path) -> None:
    directory = tmp_path / str(time.monotonic_ns())
    rng = Range(IPV4, FIRST, 24, FIRST, FIRST + 12, Address(IPV4, FIRST + 99))
    taken: set[int] = set()
    rests: set[int] = set()
    who = Attachment("c1", "eth0")

    def change(tx: Transaction) -> None:
        for step, number in steps:
            lease = Lease(Address(IPV4, FIRST + number), who, None)
            if step == "claim" and number not in taken:
                tx.claim(lease, Cause.ADD)
                taken.add(number)
                rests.discard(number)
            elif step in {"drop", "rest"} and number in taken:
                tx.drop(lease, Cause.DEL, rest=1000.0 if step == "rest" else 0.0)
                taken.remove(number)
                rests.update({number} if step == "rest" else ())
            elif step == "look":
                assert [lease.address.value - FIRST for lease in tx.held_by(who)] == sorted(taken)
                assert (tx.holder(lease.address) is not None) == (number in taken)
            elif step == "find":
                for resting, others in ((False, taken | rests), (True, taken)):
                    expected = next((FIRST + free for free in range(number, 13) if free not in others), None)
                    assert tx.next_free(rng, FIRST + number - 1, resting=resting) == expected

    with opened(sqlite_url(directory)) as store:
        store.transact("net", change)
        assert {lease.address.value - FIRST for lease in store.leases("net")} == taken
        assert {address.value - FIRST for address, _ in store.resting("net")} == rests
    if steps and directory.exists():
        assert_sound(sqlite_url(directory))
