"""Who does the work: requests that wait together share a commit; a network that is slow waits in its own thread."""

from __future__ import annotations

import os
import traceback
from collections import deque
from collections.abc import Callable, Hashable
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread
from time import monotonic

from ipam.errors import NotSynced, StoreUnavailable, TryAgain
from ipam.request import Reply, Work
from ipam.store import Busy
from ipam.together import perform_together, refuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

BATCH = 64
"""At most so many requests share one commit."""

LONG = 0.1
"""Seconds that a network may keep the others waiting; a full batch takes half of that at the most.

Where one took longer, because of a slow disk or of a scan of many leases, the network's next ones go to a lane, until
one takes less.
"""

Done = Callable[[Reply], None]
Job = tuple["Any", Done]
"""A Work, or a question, and whom to tell the answer."""


class Executor:
    """Runs jobs of one network in their order; of several networks, none waits for another's lock or server."""

    def __init__(self, wake: Callable[[], None], waited: Callable[[float], None] = lambda _: None) -> None:
        """`wake` is called from other threads when there are answers to collect().

        `waited` is told how many seconds a request took that had to wait for a lock or a server.
        """
        self._wake = wake
        self._waited = waited
        self._waiting: dict[Hashable, deque[Job]] = {}
        self._lanes: dict[Hashable, Lane] = {}
        self._lengthy: set[Hashable] = set()
        self._finished: SimpleQueue[tuple[Done, Reply]] = SimpleQueue()
        self.unfinished = 0
        self.unsynced: NotSynced | None = None
        """Why nothing more must be done: what the disk has is not known any more."""

    def submit(self, work: Work, done: Done) -> None:
        """Have `work` done at the next run()."""
        self.unfinished += 1
        self._waiting.setdefault((work.store, work.network), deque()).append((work, done))

    def submit_aside(self, key: Hashable, question: Callable[[], Reply], done: Done) -> None:
        """Have `question` answered in a thread; those with the same key one after the other."""
        self.unfinished += 1
        if not self._delegate(key, [(question, done)], _ask):
            self._deliver([(question, done)], [question()])

    def run(self) -> None:
        """Do what waits, a batch for each network; what would have to wait for others goes to a thread."""
        waiting, self._waiting = self._waiting, {}
        for key, jobs in waiting.items():
            lane = self._lanes.get(key)
            if lane is not None and lane.add(map(self._timed, jobs)):
                continue
            if key in self._lengthy:
                self._make_wait(key, jobs)
                continue
            while jobs:
                begun = monotonic()
                batch = [jobs.popleft() for _ in range(min(BATCH, len(jobs)))]
                try:
                    perform_together([work for work, _ in batch], now=True, deliver=partial(self._deliver, batch))
                except Busy:
                    self._make_wait(key, [*batch, *jobs])
                    break
                except (TryAgain, StoreUnavailable, NotSynced) as error:
                    self._give_up(error)
                    self._deliver(batch, refuse([work for work, _ in batch], error))
                if monotonic() - begun > LONG:
                    self._lengthy.add(key)

    def _give_up(self, error: Exception) -> None:
        if isinstance(error, NotSynced):
            self.unsynced = error

    def _deliver(self, batch: list[Job], replies: list[Reply]) -> None:
        for (_, done), reply in zip(batch, replies, strict=True):
            self.unfinished -= 1
            done(reply)

    def _make_wait(self, key: Hashable, jobs: Iterable[Job]) -> None:
        jobs = list(map(self._timed, jobs))
        if not self._delegate(key, jobs, perform_together):
            error = TryAgain("too many networks wait for their locks", "try again later")
            self._deliver(jobs, refuse([work for work, _ in jobs], error))

    def _delegate(self, key: Hashable, jobs: list[Job], do: Callable[[list[Any]], list[Reply]]) -> bool:
        """Have it done in a lane; False where there can be no more threads."""
        lane = self._lanes.get(key)
        if lane is None or not lane.add(jobs):
            try:
                self._lanes[key] = Lane(jobs, do, self._report, self._give_up)
            except RuntimeError:
                return False
        return True

    @property
    def lanes(self) -> int:
        """How many networks wait in threads of their own."""
        return len(self._lanes)

    def _timed(self, job: Job) -> Job:
        work, done = job
        began = monotonic()

        def timed(reply: Reply) -> None:
            self._waited(monotonic() - began)
            done(reply)

        return work, timed

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
        for key, lane in list(self._lanes.items()):
            if not lane.busy:
                del self._lanes[key]
                if lane.seconds <= LONG:
                    self._lengthy.discard(key)

    def forget(self) -> None:
        """Forget which networks took long: their stores are closed."""
        self._lengthy.clear()


class Lane:
    """A thread for one network, for as long as that network has jobs. `seconds`: how long its last batch took."""

    def __init__(
        self,
        jobs: Iterable[Job],
        do: Callable[[list[Any]], list[Reply]],
        report: Callable[[list[tuple[Done, Reply]]], None],
        refused: Callable[[Exception], None],
    ) -> None:
        """`refused` is told why a batch was refused as a whole."""
        self._lock = Lock()
        self._jobs = deque(jobs)
        self._do = do
        self._report = report
        self._refused = refused
        self.busy = True
        self.seconds = 0.0
        Thread(target=self._work, daemon=True).start()

    def add(self, jobs: Iterable[Job]) -> bool:
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
                self._report([])
                return
            begun = monotonic()
            try:
                replies = self._do([job for job, _ in batch])
            except (TryAgain, StoreUnavailable, NotSynced) as error:
                self._refused(error)
                # Who came before the wait began has waited as long, and is not made to wait again.
                with self._lock:
                    batch += [self._jobs.popleft() for _ in range(waiting - len(batch))]
                replies = refuse([work for work, _ in batch], error)
            except BaseException:  # a thread that ends unseen would leave its network without answers for ever
                traceback.print_exc()
                os._exit(os.EX_SOFTWARE)
            self.seconds = monotonic() - begun
            self._report([(done, reply) for (_, done), reply in zip(batch, replies, strict=True)])


def _ask(questions: list[Callable[[], Reply]]) -> list[Reply]:
    return [question() for question in questions]
