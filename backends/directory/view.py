"""Looking at a data directory without changing anything: what operators ask for. Needs read access alone."""

from __future__ import annotations

import posix
from _stat import S_ISDIR

from backends.directory import audit, leasefile, proof, reading, snapshot
from backends.directory.files import close, name_bytes, open_directory, reading_error
from backends.directory.lock import acquire
from backends.directory.place import RECORDS, Place, full_path
from ipam.model import valid_name
from ipam.verdict import Verdict
from ipam.walk import lost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from ipam.model import Address, Attachment, Event, Host, Lease
    from ipam.store import Finding

    T = TypeVar("T")


class View:
    """What can be seen of the networks under one data directory. Its methods are those of Store."""

    def __init__(self, root: str, host: Host, lock_timeout: float) -> None:
        """`root` is the data directory's absolute path, `lock_timeout` in seconds."""
        self._root = root
        self._host = host
        self._timeout = lock_timeout

    def networks(self) -> Iterator[str]:
        """See Store."""
        try:
            base = open_directory(name_bytes(self._root), link=True)
        except FileNotFoundError:
            return iter(())
        except OSError as error:
            raise reading_error(error, self._root) from None
        try:
            names = [name for name in posix.listdir(base) if valid_name(name) and _is_directory(name, base)]
        finally:
            close(base)
        return iter(sorted(names))

    def leases(self, network: str) -> Iterator[Lease]:
        """See Store."""
        taken = self._read(network, snapshot.take, lambda _: None)
        found = taken.leases() if taken is not None else None
        if found is None:
            found = self._read(network, reading.snapshot, reading.foreign_leases)
        return iter(found or [])

    def resting(self, network: str) -> Iterator[tuple[Address, float]]:
        """See Store."""
        return iter(self._read(network, lambda place: reading.rests(place, self._host.clock()), lambda _: []) or [])

    def unusable(self, network: str) -> Iterator[Address]:
        """See Store."""
        return iter(self._read(network, reading.unusable, lambda fd: sorted(reading.Scan(fd).blocked)) or [])

    def history(
        self,
        network: str,
        *,
        since: float | None = None,
        who: Attachment | None = None,
        address: Address | None = None,
    ) -> Iterator[Event]:
        """See Store."""
        try:
            records = open_directory(name_bytes(f"{self._root}/{RECORDS.decode()}/{network}"))
        except FileNotFoundError:
            return
        except OSError as error:
            raise reading_error(error, full_path(self._root, network, error)) from None
        try:
            for event in reading.read_events(records, () if address is None else (address,), since):
                if since is not None and event.time < since:
                    continue
                if who is not None and event.lease.attachment != who:
                    continue
                if address is None or event.lease.address == address:
                    yield event
        except OSError as error:
            raise reading_error(error, full_path(self._root, network, error)) from None
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
            raise reading_error(error, full_path(self._root, network, error)) from None

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
        """See Store."""
        name = f"{self._root}/{network}"
        return self._read(network, audit.audit, lambda fd: audit.audit_foreign(fd, name)) or []

    def whole_since(self, network: str) -> float:
        """See Store."""
        return self._read(network, lambda place: reading.whole_since(place.records), lambda _: 0.0) or 0.0

    def verify(self, network: str, known: tuple[int, str] | None = None) -> Verdict:
        """See Store."""
        found = self._read(network, lambda place: proof.verify(place, known, self._host.boot), lambda _: None)
        return found or Verdict(0, 0, 0, "", lost(known))

    def cursors(self, network: str) -> dict[int, Address]:
        """See Store."""
        return self._read(network, lambda place: leasefile.cursors(place.leases), leasefile.cursors) or {}


def _is_directory(name: str, parent: int) -> bool:
    return S_ISDIR(posix.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
