"""Who does the work, with stores that fail or are busy just when it hurts."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ipam.daemon.executor import LONG, Executor
from ipam.errors import InputOutput, TryAgain
from ipam.handler import prepare
from ipam.model import StoreConfig
from ipam.plugin import this_host
from ipam.registry import Stores
from ipam.request import Reply, Request, Work
from ipam.store import Busy, Store, Transaction
from tests.daemon.calls import code, config, environment, leases
from tests.daemon.service import PATIENCE, until

Change = Callable[[Transaction], Any]
Attempt = Callable[[Callable[[], Any]], Any]


def attempt(action: Callable[[], Any]) -> Any:
    """What happens when nothing hinders."""
    return action()


def busy(_: Callable[[], Any]) -> Any:
    raise Busy


def full(_: Callable[[], Any]) -> Any:
    raise InputOutput("the disk is full")


def locked(_: Callable[[], Any]) -> Any:
    raise TryAgain("the lock is still held")


class Fateful(Stores):
    """One directory store, to whose transactions happens what `fate` says, one after the other."""

    def __init__(self, *fate: Attempt) -> None:
        super().__init__(this_host())
        self.fate = list(fate)
        self.attempts: list[str] = []

    def get(self, config: StoreConfig) -> Store:
        store = super().get(config)
        for name in ("transact", "transact_now"):
            if name not in vars(store):
                setattr(store, name, self._hindered(name, getattr(store, name)))
        return store

    def _hindered(self, name: str, transact: Callable[[str, Change], Any]) -> Callable[[str, Change], Any]:
        def hindered(network: str, change: Change) -> Any:
            self.attempts.append(name)
            return self.fate.pop(0)(lambda: transact(network, change)) if self.fate else transact(network, change)

        return hindered


class Bench:
    """An executor, and the answers that it gave."""

    def __init__(self, stores: Stores, data_dir: Path) -> None:
        self._stores = stores
        self._data_dir = data_dir
        self._rung = threading.Event()
        self._executor = Executor(self._rung.set)
        self._calls = 0
        self.answers: list[Reply] = []

    def run(self, count: int, command: str = "ADD") -> None:
        """So many calls that wait together, until they are answered."""
        for number in range(self._calls, self._calls + count):
            request = Request(environment(command, f"c{number}"), config(self._data_dir))
            work = prepare(request, this_host(), self._stores)
            assert isinstance(work, Work)
            self._executor.submit(work, self.answers.append)
        self._calls += count
        self._executor.run()
        while self._executor.unfinished:
            assert self._rung.wait(PATIENCE)
            self._rung.clear()
            self._executor.collect()

    def rest(self) -> None:
        """Until every lane has ended."""
        until("only this thread is left", lambda: threading.active_count() == 1)
        self._executor.collect()


def run(stores: Stores, data_dir: Path, count: int) -> list[int]:
    """The codes of the answers to `count` ADDs that wait together."""
    bench = Bench(stores, data_dir)
    bench.run(count)
    stores.close()
    return [code(answer.stdout) for answer in bench.answers]


def test_what_is_free_is_done_at_once(tmp_path: Path) -> None:
    stores = Fateful()
    assert run(stores, tmp_path, 130) == [0] * 130
    assert stores.attempts == ["transact_now"] * 3
    assert len(leases(tmp_path)) == 130


def test_what_is_busy_is_waited_for_elsewhere(tmp_path: Path) -> None:
    stores = Fateful(busy)
    assert run(stores, tmp_path, 130) == [0] * 130
    assert stores.attempts == ["transact_now", "transact", "transact", "transact"]


def test_what_becomes_busy_between_two_batches_is_waited_for_and_done_once(tmp_path: Path) -> None:
    stores = Fateful(attempt, busy)
    assert run(stores, tmp_path, 130) == [0] * 130
    assert stores.attempts == ["transact_now", "transact_now", "transact", "transact"]


def test_who_was_refused_together_did_not_wait_one_after_the_other(tmp_path: Path) -> None:
    stores = Fateful(busy, locked)
    assert run(stores, tmp_path, 64) == [11] * 64
    assert stores.attempts == ["transact_now", "transact"]


def test_nobody_waits_again_behind_those_who_waited_in_vain(tmp_path: Path) -> None:
    stores = Fateful(busy, locked)
    assert run(stores, tmp_path, 300) == [11] * 300
    assert stores.attempts == ["transact_now", "transact"]


def test_a_commit_that_fails_is_tried_again_one_by_one(tmp_path: Path) -> None:
    stores = Fateful(full, full, attempt, full, attempt)
    assert run(stores, tmp_path, 3) == [0, 5, 0]
    assert stores.attempts == ["transact_now"] + ["transact"] * 4


def test_what_was_done_alone_is_not_done_again_when_the_next_finds_the_lock_taken(tmp_path: Path) -> None:
    stores = Fateful(full, attempt, busy)
    assert run(stores, tmp_path, 3) == [0, 0, 0]
    assert len(leases(tmp_path)) == 3


def test_a_failure_that_nobody_foresaw_is_a_bug_of_its_own_call_alone(tmp_path: Path) -> None:
    def bug(_: Callable[[], Any]) -> Any:
        raise RuntimeError("unforeseen")

    stores = Fateful(bug, bug, bug, attempt)
    assert run(stores, tmp_path, 2) == [199, 0]


class Clock:
    """Time that passes only where a test lets it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def slowly(self, action: Callable[[], Any]) -> Any:
        """What happens where the disk is slow."""
        self.now += 2 * LONG
        return action()


def test_a_network_that_kept_others_waiting_has_a_lane_until_it_is_quick_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr("ipam.daemon.executor.monotonic", clock)
    stores = Fateful(clock.slowly, clock.slowly, attempt, attempt)
    bench = Bench(stores, tmp_path)
    for _ in range(4):
        bench.run(1)
        bench.rest()
    assert stores.attempts == ["transact_now", "transact", "transact", "transact_now"]
    assert [answer.exit_code for answer in bench.answers] == [0] * 4
    stores.close()


def test_questions_are_answered_while_a_store_keeps_one_waiting() -> None:
    rung, held = threading.Event(), threading.Event()
    executor = Executor(rung.set)
    answers: list[bytes] = []

    def question(text: bytes, *, waits: bool = False) -> Callable[[], Reply]:
        def answer() -> Reply:
            assert not waits or held.wait(PATIENCE)
            return Reply(0, text)

        return answer

    for key, text, waits in (("dead", b"1", True), ("dead", b"2", False), ("alive", b"3", False)):
        executor.submit_aside(key, question(text, waits=waits), lambda reply: answers.append(reply.stdout))
    while executor.unfinished:
        assert rung.wait(PATIENCE)
        rung.clear()
        executor.collect()
        if answers == [b"3"]:
            held.set()
    assert answers == [b"3", b"1", b"2"]
