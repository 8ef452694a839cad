"""Each network in one JSON file: `json:///directory`. An example: every change writes all of the file anew."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import TypeVar

from ipam.errors import InvalidConfig, StoreUnavailable
from ipam.model import Address, Attachment, Event, Host, Lease, StoreConfig
from ipam.store import Store, Trait, Transaction
from jsonstore.book import Book, FileTransaction

T = TypeVar("T")


class JsonStore(Store):
    """A directory of JSON files, and a lock for all of them."""

    traits = frozenset({Trait.DURABLE, Trait.HISTORY})

    def __init__(self, directory: Path, host: Host) -> None:
        self._directory = directory
        self._host = host

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with (self._directory / ".lock").open("a") as lock:
                flock(lock, LOCK_EX)
                yield
        except OSError as error:
            raise StoreUnavailable(f"{self._directory}: {error.strerror}", "see to the directory") from None

    def _file(self, network: str) -> Path:
        return self._directory / f"{network}.json"

    def _read(self, network: str) -> Book:
        try:
            return Book.from_json(json.loads(self._file(network).read_text()))
        except FileNotFoundError:
            return Book()

    def transact(self, network: str, change: Callable[[Transaction], T]) -> T:
        """See Store."""
        with self._locked():
            book = self._read(network)
            before = json.dumps(book.to_json())
            result = change(FileTransaction(network, book, self._host))
            after = json.dumps(book.to_json())
            if after != before:
                temporary = self._file(f".{network}")
                temporary.write_text(after)
                temporary.rename(self._file(network))
            return result

    def networks(self) -> Iterator[str]:
        """See Store."""
        return iter(sorted(file.stem for file in self._directory.glob("[!.]*.json")))

    def leases(self, network: str) -> Iterator[Lease]:
        """See Store."""
        return iter(sorted(self._read(network).leases.values(), key=lambda lease: lease.address))

    def resting(self, network: str) -> Iterator[tuple[Address, float]]:
        """See Store."""
        now = self._host.clock()
        return iter(sorted((address, until) for address, until in self._read(network).rests.items() if until > now))

    def history(
        self,
        network: str,
        *,
        since: float | None = None,
        who: Attachment | None = None,
        address: Address | None = None,
    ) -> Iterator[Event]:
        """See Store."""
        for event in self._read(network).events:
            wanted = (since is None or event.time >= since) and (who is None or event.lease.attachment == who)
            if wanted and (address is None or event.lease.address == address):
                yield event

    def forget(self, network: str, before: float) -> int:
        """See Store."""
        with self._locked():
            book = self._read(network)
            kept = [event for event in book.events if event.time >= before or book.tells_of_a_lease(event)]
            removed = len(book.events) - len(kept)
            book.events = kept
            self._file(network).write_text(json.dumps(book.to_json()))
            return removed

    def check(self) -> None:
        """See Store."""
        with self._locked():
            if not os.access(self._directory, os.W_OK):
                raise StoreUnavailable(f"{self._directory} cannot be written", "see to the directory")

    def close(self) -> None:
        """See Store: nothing stays open."""


def open_store(config: StoreConfig, host: Host) -> JsonStore:
    """The store for `json:///directory`."""
    path = config.url.removeprefix("json://")
    if not path.startswith("/"):
        raise InvalidConfig(f"ipam.store must be json:///directory, not {config.shown}")
    return JsonStore(Path(path), host)


class ForgetfulStore(JsonStore):
    """The same without history: what a store lacks, its traits do not have."""

    traits = frozenset({Trait.DURABLE})

    def history(self, network: str, **_: object) -> Iterator[Event]:
        """See Store."""
        return iter(())


def open_forgetful_store(config: StoreConfig, host: Host) -> ForgetfulStore:
    """The store for `forgetful:///directory`."""
    return ForgetfulStore(Path(config.url.removeprefix("forgetful://")), host)
