"""When leases were first seen to be stale: what two passes of `ipam gc` need to know of each other."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ipam.address import format_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipam.inspection.sites import Site
    from ipam.model import Lease

DEFAULT_PATH = Path("/run/ipam/stale.json")
"""In memory: after a reboot nothing that was seen before it counts."""

_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST = 1 << 26  # bytes


class Sightings:
    """First sightings by lease. A lease that was made anew, for whomever, is another one."""

    def __init__(self, path: Path, boot: str) -> None:
        """Read what the passes before this one saw, in this boot. What is damaged, or not ours, counts for nothing."""
        self._path = path
        self._boot = boot
        self._before = _read(path, boot)
        self._now: dict[str, float] = {}

    def note(self, site: Site, lease: Lease, now: float) -> float:
        """Note that the lease is seen stale; when it was for the first time, in every pass since."""
        key = _key(site, lease)
        first = min(self._before.get(key, now), now)
        self._now[key] = first
        return first

    def forget(self, site: Site, lease: Lease) -> None:
        """Note that the lease is not stale, or no more."""
        for seen in (self._before, self._now):
            seen.pop(_key(site, lease), None)

    def save(self, sites: Iterable[Site]) -> None:
        """Keep the sightings of this pass, and those before it of sites that it did not look at. Raises OSError.

        Nothing is kept where a device or a FIFO stands in the file's place.
        """
        if self._path.exists() and not self._path.is_file():
            return
        looked_at = tuple(f"{site.url} {site.name} " for site in sites)
        seen = {key: first for key, first in self._before.items() if not key.startswith(looked_at)} | self._now
        self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        new = self._path.with_name(f".{self._path.name}.{os.getpid()}.new")
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w") as file:
            json.dump({"boot": self._boot, "seen": seen}, file)
        new.replace(self._path)


def _key(site: Site, lease: Lease) -> str:
    who = lease.attachment
    return f"{site.url} {site.name} {format_address(lease.address)} {who.container_id} {who.ifname} {lease.since!r}"


def _read(path: Path, boot: str) -> dict[str, float]:
    try:
        fd = os.open(path, _OPEN)
        with os.fdopen(fd) as file:
            status = os.fstat(fd)
            if status.st_uid != os.geteuid() or status.st_mode & 0o022:
                return {}
            value = json.loads(file.read(_MOST))
        seen = value["seen"] if value["boot"] == boot else {}
        return {str(key): float(first) for key, first in seen.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}
