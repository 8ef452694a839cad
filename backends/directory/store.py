"""The directory store: Go host-local's layout, shared with Go, with an index and a history of our own."""

from __future__ import annotations

import posix

from backends.directory.commit import Stale
from backends.directory.files import NO_DESCRIPTORS, NoSpace, NotRegular, name_bytes, storage_error
from backends.directory.lock import acquire, release
from backends.directory.place import Place, full_path
from backends.directory.transaction import DirectoryTransaction
from ipam.errors import InvalidConfig, TryAgain
from ipam.jsontext import quote
from ipam.store import Busy, Store, Trait, Transaction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from backends.directory.view import View
    from ipam.model import Address, Attachment, Event, Host, Lease, StoreConfig
    from ipam.store import Finding
    from ipam.verdict import Verdict

    T = TypeVar("T")

_MOST_KEPT = 64
_TRIES = 100  # to find a directory and a lock that stay in place for a transaction
SEGMENT = 1 << 20
"""Bytes by which history grows until it is looked whether it is to be shortened."""

_RUNS = 5  # of one change, when others keep making files under its feet without the lock
_LARGE = 1 << 16  # bytes of a directory: some 2,700 leases on ext4, whose recovery takes a tenth of a second
_LONG = 1 << 22  # bytes of history: some 12,000 events, which are read in as much


class _NoDirectory(Exception):
    """The network has no directory, and none is to be made."""


class DirectoryStore(Store):
    """Leases in `<root>/<network>/`, as Go keeps them. Between transactions files stay open, see KeptFile."""

    traits = frozenset({Trait.CHAINED, Trait.DURABLE, Trait.HISTORY, Trait.REPLAY})

    def __init__(
        self, root: str, host: Host, *, lock_timeout: float, durable: bool, keep: tuple[float, int] = (0.0, 0)
    ) -> None:
        """`root` is the data directory's absolute path, `lock_timeout` in seconds; `keep`: see StoreConfig."""
        self._root = root
        self._host = host
        self._timeout = lock_timeout
        self._durable = durable
        self._keep = keep if any(keep) else None
        self._kept: dict[str, Place] = {}
        self._due: set[str] = set()  # networks whose history is to be shortened by who may take longer
        self._is_closed = False

    def transact(self, network: str, change: Callable[[Transaction], T]) -> T:
        """See Store."""
        return self._transact(network, change, None)

    def transact_now(self, network: str, change: Callable[[Transaction], T]) -> T:
        """See Store."""
        return self._transact(network, change, 0)

    def _transact(self, network: str, change: Callable[[Transaction], T], timeout: float | None) -> T:
        now = timeout == 0
        if now and network in self._due:
            raise Busy

        def run(place: Place) -> T:
            return self._run(place, network, change, now=now)

        try:
            try:
                return self._locked(network, run, timeout=timeout)
            except _NoDirectory:
                from backends.directory.absent import AbsentTransaction, DirectoryNeeded

                try:
                    return change(AbsentTransaction())
                except DirectoryNeeded:
                    return self._locked(network, run, timeout=timeout, create=True)
        except NoSpace as error:
            if now:  # what follows takes longer
                raise Busy from None
            return self._transact_without_space(network, change, error)

    def _transact_without_space(self, network: str, change: Callable[[Transaction], T], trouble: NoSpace) -> T:
        from backends.directory import full

        try:
            return full.transact(self._root, network, change, trouble, timeout=self._timeout, durable=self._durable)
        except FileNotFoundError:
            raise trouble from None
        except OSError as error:
            raise storage_error(error, full_path(self._root, network, error)) from None

    def _has_directory(self, network: str) -> bool:
        try:
            posix.stat(name_bytes(f"{self._root}/{network}"), follow_symlinks=False)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise storage_error(error, full_path(self._root, network, error)) from None
        return True

    def _locked(
        self, network: str, action: Callable[[Place], T], *, timeout: float | None = None, create: bool = False
    ) -> T:
        """The result of `action` on the network's directories, under its lock.

        Raises _NoDirectory where the network has none, unless it is to `create` it. `timeout` is in seconds, the
        store's own where None; with 0, Busy rather than wait.
        """
        try:
            for _ in range(_TRIES):
                place = self._kept.pop(network, None)
                if place is not None:
                    place.keep_spares()  # this process is asked more often than once
                elif create or self._has_directory(network):
                    place = Place(self._root, network, create=True)
                else:
                    raise _NoDirectory
                is_there = True
                try:
                    acquire(place.lock, place.name, self._timeout if timeout is None else timeout)
                    try:
                        is_there = place.is_there()
                        if is_there:
                            self._recover_if_stale(place, network, now=timeout == 0)
                            return action(place)
                    finally:
                        release(place.lock)
                finally:
                    self._put_away(network, place, keep=is_there)
        except OSError as error:
            if error.errno in NO_DESCRIPTORS and self._close_kept(but=network):
                return self._locked(network, action, timeout=timeout, create=create)
            raise storage_error(error, full_path(self._root, network, error)) from None
        raise TryAgain(
            f"{self._root}/{network}/lock is removed again and again",
            "something deletes it, or its directory, while it is in use",
        )

    def _put_away(self, network: str, place: Place, *, keep: bool) -> None:
        if keep and not self._is_closed and len(self._kept) < _MOST_KEPT and network not in self._kept:
            self._kept[network] = place
        else:
            place.close()

    def _recover_if_stale(self, place: Place, network: str, *, now: bool) -> None:
        rebooted = place.last_boot is not None and place.last_boot[1] != self._host.boot
        if rebooted or not place.index.is_settled(place.network, place.journal.file_size()):
            if now and (place.network.st_size > _LARGE or place.journal.file_size() > _LONG):
                raise Busy
            self._recover(place, network)
        place.learn()

    def _recover(self, place: Place, network: str) -> None:
        from backends.directory.recovery import recover

        recover(place, network, self._host)
        place.learn()

    def _run(self, place: Place, network: str, change: Callable[[Transaction], T], *, now: bool) -> T:
        before = place.index.history_size()
        for _ in range(_RUNS):
            tx = DirectoryTransaction(place, network, self._host, durable=self._durable)
            try:
                result = change(tx)
                tx.commit()
            except (Stale, NotRegular):  # lease files under our feet, or junk in the place of the index's files
                self._recover(place, network)
            else:
                if self._keep is not None and place.index.history_size() // SEGMENT != before // SEGMENT:
                    self._due.add(network)
                if network in self._due and not now:
                    self._due.discard(network)
                    self._shorten(place)
                return result
        raise TryAgain(
            f"{place.name} changes while it is locked", "another program writes there without taking the lock"
        )

    def _shorten(self, place: Place) -> None:
        from backends.directory import retention

        if self._keep is not None:
            try:
                retention.shorten(place, *self._keep, self._host.clock())
            except OSError:  # the change is committed, whatever becomes of old history
                return

    def _view(self) -> View:
        from backends.directory.view import View

        return View(self._root, self._host, self._timeout)

    def is_there(self) -> bool:
        """See Store."""
        try:
            posix.stat(name_bytes(self._root))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise storage_error(error, self._root) from None
        return True

    def networks(self) -> Iterator[str]:
        """See Store."""
        return self._view().networks()

    def leases(self, network: str) -> Iterator[Lease]:
        """See Store. Needs read access alone, as all that only looks."""
        return self._view().leases(network)

    def resting(self, network: str) -> Iterator[tuple[Address, float]]:
        """See Store."""
        return self._view().resting(network)

    def unusable(self, network: str) -> Iterator[Address]:
        """See Store."""
        return self._view().unusable(network)

    def history(
        self,
        network: str,
        *,
        since: float | None = None,
        who: Attachment | None = None,
        address: Address | None = None,
    ) -> Iterator[Event]:
        """See Store."""
        return self._view().history(network, since=since, who=who, address=address)

    def audit(self, network: str) -> list[Finding]:
        """See Store."""
        return self._view().audit(network)

    def verify(self, network: str, known: tuple[int, str] | None = None) -> Verdict:
        """See Store."""
        return self._view().verify(network, known)

    def whole_since(self, network: str) -> float:
        """See Store."""
        return self._view().whole_since(network)

    def cursors(self, network: str) -> dict[int, Address]:
        """See Store."""
        return self._view().cursors(network)

    def check(self) -> None:
        """See Store."""
        from backends.directory import readiness

        readiness.check(self._root)

    def repair(self, network: str) -> bool:
        """See Store: remove empty lease files, make index and bitmaps anew."""
        self._if_there(network, lambda place: self._recover(place, network))
        return True

    def forget(self, network: str, before: float) -> int:
        """See Store."""
        from backends.directory import retention

        return self._if_there(network, lambda place: retention.forget(place, before, self._host.clock())) or 0

    def _if_there(self, network: str, action: Callable[[Place], T]) -> T | None:
        """What _locked() gives; None where the network has no directory."""
        try:
            return self._locked(network, action)
        except _NoDirectory:
            return None

    def close(self) -> None:
        """See Store. A daemon may still undo through it what it answered before, and then nothing stays open."""
        self._is_closed = True
        self._close_kept()

    def _close_kept(self, *, but: str = "") -> bool:
        """Close what stays open, `but` for one network; whether there was anything. Other threads may do so too."""
        places = [self._kept.pop(name, None) for name in list(self._kept) if name != but]
        for place in filter(None, places):
            place.close()
        return bool(places)


def open_store(config: StoreConfig, host: Host) -> DirectoryStore:
    """The store for `file:///absolute/path`. Raises InvalidConfig for any other form."""
    scheme, _, path = config.url.partition("://")
    if scheme != "file" or not path.startswith("/"):
        raise InvalidConfig(
            f"ipam.store must be file:///absolute/path, not {quote(config.url)}", "three slashes: no host name"
        )
    root = path.rstrip("/") or "/"
    return DirectoryStore(root, host, lock_timeout=config.lock_timeout, durable=config.durable, keep=config.keep)
