"""The index by attachment: symbolic links `<container>:<ifname>` that say what the attachment holds.

`attachments/abc:eth0 -> 10.88.0.2@0-291 fd00::2@291-583`: an address, and where in the history file the
line of its claim begins and ends. The index counts only while the network's directory and `attachments/`
carry one and the same modification time, which the last change set on both to a moment that the kernel
did not give them. Whoever else creates or removes a file changes it, and the index is made anew.
"""

from __future__ import annotations

import posix

from backends.directory.files import name_bytes, readlink, remove, symlink
from ipam.address import format_address, parse_address
from ipam.model import Address, Attachment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backends.directory.journal import Place

Places = dict[Address, "Place"]
"""What an attachment holds: each address with the place of its claim in the history file."""

_LONGEST_NAME = 255
_PAST = 2_000_000_000  # nanoseconds: a time that no file system stamps on a change made now


def entry_name(who: Attachment) -> bytes:
    """The link's name; a digest where the container id is too long for a file name."""
    name = name_bytes(f"{who.container_id}:{who.ifname}")
    if len(name) <= _LONGEST_NAME:
        return name
    from hashlib import sha256

    return b"#" + sha256(name).hexdigest().encode()


def parse_entry(target: bytes) -> Places:
    """What a link says. Words that cannot be read are passed over: the lease files have the last word."""
    places: Places = {}
    for word in target.decode("ascii", "replace").split():
        text, _, place = word.partition("@")
        start, _, end = place.partition("-")
        address = parse_address(text)
        if address is not None and start.isdecimal() and end.isdecimal():
            places[address] = (int(start), int(end))
    return places


def read_entry(who: Attachment, attachments: int) -> Places:
    """What the index says that `who` holds."""
    target = readlink(entry_name(who), attachments)
    return {} if target is None else parse_entry(target)


def write_entry(who: Attachment, places: Places, attachments: int, scratch: int) -> None:
    """Say what `who` holds; nothing at all where `places` is empty."""
    write_named(entry_name(who), places, attachments, scratch)


def write_named(name: bytes, places: Places, attachments: int, scratch: int) -> None:
    """The same by the entry's name."""
    if not places:
        remove(name, attachments)
        return
    words = [f"{format_address(address)}@{start}-{end}" for address, (start, end) in sorted(places.items())]
    symlink(" ".join(words).encode(), name, attachments, scratch)


def all_entries(attachments: int) -> dict[bytes, Places]:
    """Every entry by its name."""
    entries = {}
    for name in posix.listdir(attachments):
        encoded = name_bytes(name)
        target = readlink(encoded, attachments)
        if target is not None:
            entries[encoded] = parse_entry(target)
    return entries


def is_current(network: posix.stat_result, attachments: posix.stat_result) -> bool:
    """Whether nobody has changed either directory since the last stamp()."""
    stamp = network.st_mtime_ns
    return stamp == attachments.st_mtime_ns and stamp != network.st_ctime_ns


def stamp(network: int, attachments: int, now: float) -> None:
    """Declare the index current: call it last, under the lock. `now` is in seconds since the epoch."""
    moment = int(now * 1e9) - _PAST
    posix.utime(network, ns=(moment, moment))
    posix.utime(attachments, ns=(moment, moment))
