"""Witness: whether libcni still keeps the result of the ADD, which it does until DEL."""

from __future__ import annotations

import os
from pathlib import Path

from ipam.inspection.staleness import DEAD, PENDING, SILENT, Sign

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipam.model import Lease

NAME = "results"
DEFAULT_DIRS = (Path("/var/lib/cni/results"),)


class Results:
    """The names of the cached results in libcni's directories, as they were at one moment."""

    def __init__(self, directories: Iterable[Path] = DEFAULT_DIRS) -> None:
        self._names: set[str] = set()
        self._unseen: list[str] = []
        self._seen = False
        for directory in directories:
            try:
                self._names.update(os.listdir(directory))  # noqa: PTH208
                self._seen = True
            except FileNotFoundError:
                continue
            except OSError as error:
                self._unseen.append(f"{directory}: {error.strerror}")

    def sign(self, network: str, lease: Lease) -> Sign:
        """What this witness says of a lease. A result that is there proves little: whoever was killed called no DEL."""
        who = lease.attachment
        name = f"{network}-{who.container_id}-{who.ifname}"
        if name in self._names or (not who.ifname and any(each.startswith(name) for each in self._names)):
            return Sign(NAME, PENDING, "there is one: no DEL was called")
        if self._unseen:
            return Sign(NAME, SILENT, f"cannot be read: {self._unseen[0]}")
        if not self._seen:
            return Sign(NAME, SILENT, "nothing here keeps any")
        return Sign(NAME, DEAD, "there is none")
