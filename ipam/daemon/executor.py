"""Who does the work: requests that wait together share a commit; a network that is slow waits in its own thread."""

from __future__ import annotations

import os
import traceback
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread

from ipam.errors import StoreUnavailable, TryAgain
from ipam.handler import perform_together, refuse
from ipam.request import Reply, Work
from ipam.store import Busy, Store

BATCH = 64
"""At most so many requests share one commit."""

Done = Callable[[Reply], None]
Job = tuple[Work, Done]


class Executor:
    """Runs jobs of one network in their order; of several networks, none waits for another's lock or server."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """`wake` is called from other threads when there are answers to collect()."""
        self._wake = wake
        self._waiting: dict[tuple[Store, str], deque[Job]] = {}
        self._slow: dict[tuple[Store, str], Lane] = {}
        self._finished: SimpleQueue[tuple[Done, Reply]] = SimpleQueue()
        self.unfinished = 0

    def submit(self, work: Work, done: Done) -> None:
        """Have `work` done at the next run()."""
        self.unfinished += 1
        self._waiting.setdefault((work.store, work.network), deque()).append((work, done))

    def run(self) -> None:
        """Do what waits, a batch for each network; what would have to wait for others goes to a thread."""
        waiting, self._waiting = self._waiting, {}
        for key, jobs in waiting.items():
            lane = self._slow.get(key)
            if lane is not None and lane.add(jobs):
                continue
            while jobs:
                batch = [jobs.popleft() for _ in range(min(BATCH, len(jobs)))]
                try:
                    replies = perform_together([work for work, _ in batch], now=True)
                except Busy:
                    self._slow[key] = Lane([*batch, *jobs], self._report)
                    break
                except (TryAgain, StoreUnavailable) as error:
                    replies = refuse([work for work, _ in batch], error)
                for (_, done), reply in zip(batch, replies, strict=True):
                    self.unfinished -= 1
                    done(reply)

    def _report(self, answers: list[tuple[Done, Reply]]) -> None:
        for answer in answers:
            self._finished.put(answer)
        self._wake()

    def collect(self) -> None:
        """Hand over the answers that threads have ready."""
        while not self._finished.empty():
            done, reply = self._finished.get()
            self.unfinished -= 1
            done(reply)
        self._slow = {key: lane for key, lane in self._slow.items() if lane.busy}


class Lane:
    """A thread for one network, for as long as that network has jobs."""

    def __init__(self, jobs: list[Job], report: Callable[[list[tuple[Done, Reply]]], None]) -> None:
        self._lock = Lock()
        self._jobs = deque(jobs)
        self._report = report
        self.busy = True
        Thread(target=self._work, daemon=True).start()

    def add(self, jobs: deque[Job]) -> bool:
        """Queue more, unless the lane has closed: whether it took them."""
        with self._lock:
            if self.busy:
                self._jobs.extend(jobs)
            return self.busy

    def _work(self) -> None:
        while True:
            with self._lock:
                waiting = len(self._jobs)
                batch = [self._jobs.popleft() for _ in range(min(BATCH, waiting))]
                self.busy = bool(batch)
            if not batch:
                return
            try:
                replies = perform_together([work for work, _ in batch])
            except (TryAgain, StoreUnavailable) as error:
                # Who came before the wait began has waited as long, and is not made to wait again.
                with self._lock:
                    batch += [self._jobs.popleft() for _ in range(waiting - len(batch))]
                replies = refuse([work for work, _ in batch], error)
            except BaseException:  # a thread that ends unseen would leave its network without answers for ever
                traceback.print_exc()
                os._exit(os.EX_SOFTWARE)
            self._report([(done, reply) for (_, done), reply in zip(batch, replies, strict=True)])
