"""The native launcher: where it is, and what speaks for a file being one."""

from __future__ import annotations

from pathlib import Path

NAME = "launcher"
MARK = b"ipam launcher, protocol "
"""Stands in every launcher, followed by the number of the protocol (ipam.frame) and a newline."""

_LONGEST = 1 << 20


def launcher_path() -> Path | None:
    """The launcher that was built with this package; None where it was installed without one."""
    path = Path(__file__).with_name(NAME)
    return path if path.is_file() else None


def protocol_of(path: Path) -> int | None:
    """The protocol that the launcher at `path` speaks; None for a file that is no launcher. Raises OSError."""
    with path.open("rb") as file:
        _, found, rest = file.read(_LONGEST).partition(MARK)
    number = rest.partition(b"\n")[0]
    return int(number) if found and number.isdigit() else None
