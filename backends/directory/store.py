"""The directory store: Go host-local's layout, shared with Go, with an index and a history of our own."""

from __future__ import annotations

import posix
from _stat import S_ISDIR

from backends.directory.commit import Stale
from backends.directory.files import NotRegular, close, name_bytes, open_directory, storage_error, unavailable
from backends.directory.lock import acquire, release
from backends.directory.place import RECORDS, Place, full_path
from backends.directory.transaction import DirectoryTransaction
from ipam.address import format_address
from ipam.errors import InputOutput, InvalidConfig, StoreUnavailable, TryAgain
from ipam.jsontext import quote
from ipam.model import valid_name
from ipam.store import Store, Trait, Transaction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from ipam.model import Address, Attachment, Event, Host, Lease, StoreConfig
    from ipam.store import Finding

    T = TypeVar("T")

_MOST_KEPT = 64
_TRIES = 100  # to find a directory and a lock that stay in place for a transaction
_RUNS = 5  # of one change, when others keep making files under its feet without the lock


class DirectoryStore(Store):
    """Leases in `<root>/<network>/`, as Go keeps them. Between transactions files stay open, see KeptFile."""

    traits = frozenset({Trait.DURABLE, Trait.HISTORY, Trait.REPLAY})

    def __init__(self, root: str, host: Host, *, lock_timeout: float, durable: bool) -> None:
        """`root` is the data directory's absolute path, `lock_timeout` in seconds."""
        self._root = root
        self._host = host
        self._timeout = lock_timeout
        self._durable = durable
        self._kept: dict[str, Place] = {}

    def transact(self, network: str, change: Callable[[Transaction], T]) -> T:
        """See Store."""
        return self._transact(network, change, None)

    def transact_now(self, network: str, change: Callable[[Transaction], T]) -> T:
        """See Store."""
        return self._transact(network, change, 0)

    def _transact(self, network: str, change: Callable[[Transaction], T], timeout: float | None) -> T:
        if network not in self._kept and not self._has_directory(network):
            from backends.directory.absent import AbsentTransaction, DirectoryNeeded

            try:
                return change(AbsentTransaction())
            except DirectoryNeeded:
                pass
        return self._locked(network, lambda place: self._run(place, network, change), timeout=timeout)

    def _has_directory(self, network: str) -> bool:
        try:
            posix.stat(name_bytes(f"{self._root}/{network}"), follow_symlinks=False)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise storage_error(error, full_path(self._root, network, error)) from None
        return True

    def _locked(self, network: str, action: Callable[[Place], T], *, timeout: float | None = None) -> T:
        """The result of `action` on the network's directories, made where they are missing, under its lock.

        `timeout` is in seconds, the store's own where None; with 0, Busy rather than wait.
        """
        try:
            for _ in range(_TRIES):
                place = self._kept.pop(network, None)
                if place is not None:
                    place.spares.open()  # this process will be asked more often than once
                else:
                    place = Place(self._root, network, create=True)
                is_there = True
                try:
                    acquire(place.lock, place.name, self._timeout if timeout is None else timeout)
                    try:
                        is_there = place.is_there()
                        if is_there:
                            self._recover_if_stale(place, network)
                            return action(place)
                    finally:
                        release(place.lock)
                finally:
                    self._put_away(network, place, keep=is_there)
        except OSError as error:
            raise storage_error(error, full_path(self._root, network, error)) from None
        raise TryAgain(
            f"{self._root}/{network}/lock is removed again and again",
            "something deletes it, or its directory, while it is in use",
        )

    def _put_away(self, network: str, place: Place, *, keep: bool) -> None:
        if keep and len(self._kept) < _MOST_KEPT and network not in self._kept:
            self._kept[network] = place
        else:
            place.close()

    def _recover_if_stale(self, place: Place, network: str) -> None:
        rebooted = place.last_boot is not None and place.last_boot[1] != self._host.boot
        current = place.index.is_current(place.network) and place.index.begun() is None
        if rebooted or not current or not place.index.knows_history(place.journal.file_size()):
            self._recover(place, network)
        place.learn()

    def _recover(self, place: Place, network: str) -> None:
        from backends.directory.recovery import recover

        recover(place, network, self._host)
        place.learn()

    def _run(self, place: Place, network: str, change: Callable[[Transaction], T]) -> T:
        for _ in range(_RUNS):
            tx = DirectoryTransaction(place, network, self._host, durable=self._durable)
            try:
                result = change(tx)
                tx.commit()
            except (Stale, NotRegular):  # lease files under our feet, or junk in the place of the index's files
                self._recover(place, network)
            else:
                return result
        raise TryAgain(
            f"{place.name} changes while it is locked", "another program writes there without taking the lock"
        )

    def networks(self) -> Iterator[str]:
        """See Store."""
        try:
            base = open_directory(name_bytes(self._root), link=True)
        except FileNotFoundError:
            return iter(())
        except OSError as error:
            raise storage_error(error, self._root) from None
        try:
            names = [name for name in posix.listdir(base) if valid_name(name) and _is_directory(name, base)]
        finally:
            close(base)
        return iter(sorted(names))

    def leases(self, network: str) -> Iterator[Lease]:
        """See Store. Needs read access alone."""
        from backends.directory import reading, snapshot

        taken = self._read(network, snapshot.take, lambda _: None)
        found = taken.leases() if taken is not None else None
        if found is None:
            found = self._read(network, reading.snapshot, reading.foreign_leases)
        return iter(found or [])

    def resting(self, network: str) -> Iterator[tuple[Address, float]]:
        """See Store. Needs read access alone."""
        from backends.directory import reading

        return iter(self._read(network, lambda place: reading.rests(place, self._host.clock()), lambda _: []) or [])

    def history(
        self,
        network: str,
        *,
        since: float | None = None,
        who: Attachment | None = None,
        address: Address | None = None,
    ) -> Iterator[Event]:
        """See Store. Needs read access alone."""
        from backends.directory import reading

        try:
            records = open_directory(name_bytes(f"{self._root}/{RECORDS.decode()}/{network}"))
        except FileNotFoundError:
            return
        except OSError as error:
            raise storage_error(error, full_path(self._root, network, error)) from None
        try:
            having = b"" if address is None else b'"address":"%b"' % format_address(address).encode()
            for event in reading.read_events(records, having, since):
                if since is not None and event.time < since:
                    continue
                if who is not None and event.lease.attachment != who:
                    continue
                if address is None or event.lease.address == address:
                    yield event
        except OSError as error:
            raise storage_error(error, full_path(self._root, network, error)) from None
        finally:
            close(records)

    def _read(self, network: str, ours: Callable[[Place], T], foreign: Callable[[int], T]) -> T | None:
        """What `ours` finds under a shared lock, or `foreign` where only Go has been; None without a directory."""
        try:
            try:
                place = Place(self._root, network, create=False)
            except FileNotFoundError:
                return self._read_foreign(network, foreign)
            try:
                try:
                    acquire(place.lock, place.name, self._timeout, shared=True)
                except FileNotFoundError:  # nobody has locked anything yet
                    return ours(place)
                return ours(place)
            finally:
                place.close()
        except OSError as error:
            raise storage_error(error, full_path(self._root, network, error)) from None

    def _read_foreign(self, network: str, foreign: Callable[[int], T]) -> T | None:
        try:
            fd = open_directory(name_bytes(f"{self._root}/{network}"))
        except FileNotFoundError:
            return None
        try:
            return foreign(fd)
        finally:
            close(fd)

    def audit(self, network: str) -> list[Finding]:
        """See Store. Needs read access alone."""
        from backends.directory import audit

        foreign = audit.audit_foreign
        return self._read(network, audit.audit, lambda fd: foreign(fd, f"{self._root}/{network}")) or []

    def repair(self, network: str) -> bool:
        """See Store: remove empty lease files, make index and bitmaps anew."""
        self._locked(network, lambda place: self._recover(place, network))
        return True

    def cursors(self, network: str) -> dict[int, Address]:
        """See Store. Needs read access alone."""
        from backends.directory import leasefile

        return self._read(network, lambda place: leasefile.cursors(place.leases), leasefile.cursors) or {}

    def forget(self, network: str, before: float) -> int:
        """See Store."""
        from backends.directory import retention

        return self._locked(network, lambda place: retention.forget(place, before, self._host.clock()))

    def check(self) -> None:
        """See Store: the data directory, or the nearest one above it that exists, takes new files."""
        path = self._root
        try:
            while True:
                try:
                    fd = open_directory(name_bytes(path), link=True)
                except FileNotFoundError:
                    path = path.rstrip("/").rpartition("/")[0] or "/"
                else:
                    break
            try:
                space = posix.fstatvfs(fd)
                writable = posix.access(path, posix.W_OK | posix.X_OK)
            finally:
                close(fd)
        except OSError as error:
            raise unavailable(storage_error(error, path)) from None
        except InputOutput as error:
            raise unavailable(error) from None
        if not writable:
            raise StoreUnavailable(f"{path} cannot be written", "the file system is read-only, or not ours")
        if not space.f_bavail or (space.f_files and not space.f_favail):
            raise StoreUnavailable(f"the file system of {path} is full", "make room on it")

    def close(self) -> None:
        """See Store."""
        while self._kept:
            self._kept.popitem()[1].close()


def _is_directory(name: str, parent: int) -> bool:
    return S_ISDIR(posix.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)


def open_store(config: StoreConfig, host: Host) -> DirectoryStore:
    """The store for `file:///absolute/path`. Raises InvalidConfig for any other form."""
    scheme, _, path = config.url.partition("://")
    if scheme != "file" or not path.startswith("/"):
        raise InvalidConfig(
            f"ipam.store must be file:///absolute/path, not {quote(config.url)}", "three slashes: no host name"
        )
    root = path.rstrip("/") or "/"
    return DirectoryStore(root, host, lock_timeout=config.lock_timeout, durable=config.durable)
