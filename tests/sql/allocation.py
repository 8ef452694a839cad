"""What tests of the SQL stores do with a store: ADDs and DELs, by hand or through a door."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ipam.model import Address, Attachment, Cause, Host, Lease, StoreConfig
from ipam.plugin import this_host
from ipam.registry import open_store
from ipam.store import Store

SUBNET = "10.20.0.0/16"
LEASE = Lease(Address(4, 0x0A140002), Attachment("c1", "eth0"), 0)


@contextmanager
def opened(url: str, *, node: str = "", lock_timeout: float = 30.0, password_file: str = "") -> Iterator[Store]:
    """The store of a URL, closed after it."""
    host: Host = this_host().named(node)
    config = StoreConfig(url, lock_timeout=lock_timeout, node=node, password_file=password_file)
    store = open_store(config, host)
    try:
        yield store
    finally:
        store.close()


def claim(store: Store, lease: Lease = LEASE, network: str = "net") -> None:
    """Claim a lease."""
    store.transact(network, lambda tx: tx.claim(lease, Cause.ADD))


def config(url: str, network: str = "net", *, version: str = "1.0.0", **ipam: object) -> bytes:
    """A config of one range set whose leases are in the store of that URL."""
    section = {"type": "host-local", "store": url, "ranges": [[{"subnet": SUBNET}]], **ipam}
    return json.dumps({"cniVersion": version, "name": network, "type": "bridge", "ipam": section}).encode()


def sqlite_url(directory: Path) -> str:
    """The URL of a SQLite store that nobody has made yet."""
    return f"sqlite:///{directory}/ipam.db"
