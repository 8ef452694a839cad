"""Waiting for the network's lock in a process with threads."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from pathlib import Path

import pytest

from backends.directory import waiter
from tests.daemon.service import PATIENCE, until
from tests.faults.calls import await_waiters, held_lock, release


def opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)


def is_locked(path: Path) -> bool:
    """Whether somebody has the lock."""
    fd = opened(path)
    try:
        flock(fd, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def descriptors() -> int:
    """How many are open in this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("how", [LOCK_EX, LOCK_SH])
def test_the_lock_is_the_descriptors_own_once_it_was_waited_for(how: int, tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with held_lock(lock) as holder, ThreadPoolExecutor() as pool:
        fd = opened(lock)
        waiting = pool.submit(waiter.wait, fd, PATIENCE, how)
        await_waiters(lock, 1)
        release(holder)
        assert waiting.result()
    assert is_locked(lock)
    assert not os.get_inheritable(fd)
    os.close(fd)
    assert not is_locked(lock)


def test_nothing_is_left_open_whether_the_wait_was_in_vain_or_not(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    before = descriptors()
    with held_lock(lock) as holder:
        for _ in range(5):
            fd = opened(lock)
            assert not waiter.wait(fd, 0.01, LOCK_EX)
            os.close(fd)
        await_waiters(lock, 1)
        release(holder)
    until("the one in the queue has let go", lambda: descriptors() == before)
    assert not is_locked(lock)


def test_two_who_wait_for_one_lock_get_it_one_after_the_other(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    inside: list[int] = []
    most: list[int] = []
    count = threading.Lock()

    def visit(number: int) -> bool:
        fd = opened(lock)
        got = waiter.wait(fd, PATIENCE, LOCK_EX)
        with count:
            inside.append(number)
            most.append(len(inside))
        time.sleep(0.005)
        with count:
            inside.remove(number)
        os.close(fd)
        return got

    with held_lock(lock) as holder, ThreadPoolExecutor(4) as pool:
        fd = opened(lock)
        assert not waiter.wait(fd, 0.01, LOCK_EX)  # its place in the queue is for one of the four
        os.close(fd)
        visits = [pool.submit(visit, number) for number in range(4)]
        release(holder)
        assert all(each.result() for each in visits)
    assert set(most) == {1}


def test_a_descriptor_that_cannot_be_locked_is_an_error_and_no_wait(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    fd = os.open(tmp_path / "lock", os.O_PATH)
    try:
        with pytest.raises(OSError, match="Bad file descriptor"):
            waiter.wait(fd, PATIENCE, LOCK_EX)
    finally:
        os.close(fd)
