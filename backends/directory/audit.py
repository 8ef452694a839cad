"""What is wrong in a network's directory: junk among the lease files, and records of ours that disagree with them."""

from __future__ import annotations

import posix

from backends.directory import journal, leasefile
from backends.directory.index import checksum
from backends.directory.lock import LOCK
from backends.directory.reading import Scan, read_lines
from backends.directory.seal import parse_seal
from backends.directory.taken import addresses
from ipam.address import format_address
from ipam.jsontext import quote
from ipam.model import CLAIM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from backends.directory.place import Place
    from ipam.store import Finding

_MENDED = "--repair mends it, or the plugin's next call"


def audit(place: Place) -> list[Finding]:
    """Everything, in a directory where this plugin has worked. Call it under the lock."""
    scan = Scan(place.leases)
    return [
        *_of_files(place.leases, place.name, scan),
        *_of_index(place, scan),
        *_of_bitmaps(place, scan),
        *_of_history(place, scan),
    ]


def audit_foreign(directory: int, name: str) -> list[Finding]:
    """The same in a directory where only Go has been."""
    return list(_of_files(directory, name, Scan(directory)))


def _of_files(directory: int, name: str, scan: Scan) -> Iterator[Finding]:
    for address in sorted(scan.debris):
        text = format_address(address)
        yield (
            "empty-lease",
            f"{text}: the lease file is empty, its host-local was killed; Go never gives it out",
            _MENDED,
        )
    for address in sorted(scan.blocked):
        text = format_address(address)
        yield (
            "unreadable-lease",
            f"{text}: {name}/{text} is no lease file: nobody gets this address",
            f"see what it is, and remove {name}/{text} if nobody uses the address",
        )
    for entry in sorted(posix.listdir(directory)):
        if leasefile.address_of(entry) is None and entry != LOCK.decode() and not leasefile.is_cursor(entry):
            shown = quote(entry)[1:-1]
            yield (
                "stray-file",
                f"{name}/{shown} is neither lease, cursor nor lock; Go reads it at each call",
                f"remove {name}/{shown}, if it is not needed",
            )


def _of_index(place: Place, scan: Scan) -> Iterator[Finding]:
    index = place.index
    begun = index.begun(write=False) is not None
    if begun or not index.is_current(posix.fstat(place.leases), write=False):
        what = "a change was cut short" if begun else "others have made or removed leases"
        yield "records-behind", f"index and history are behind: {what}", _MENDED
        return
    listed = {(mark, address) for mark, address, _ in index.entries(write=False)}
    held = {(checksum(who), address) for address, who in scan.holders.items()}
    for _, address in sorted(held - listed, key=lambda entry: entry[1]):
        yield "not-in-index", f"{format_address(address)}: the index does not know this lease", _MENDED
    for _, address in sorted(listed - held, key=lambda entry: entry[1]):
        text = format_address(address)
        yield "only-in-index", f"{text}: the index has a lease that has no such lease file", _MENDED


def _of_bitmaps(place: Place, scan: Scan) -> Iterator[Finding]:
    if not place.index.is_current(posix.fstat(place.leases), write=False):
        return
    marked, held = set(addresses(place.taken)), {*scan.holders, *scan.blocked}
    for address in sorted(held - marked):
        yield "not-taken", f"{format_address(address)}: the bitmaps take the address for free", _MENDED
    for address in sorted(marked - held - {*scan.debris}):
        yield "not-free", f"{format_address(address)}: the bitmaps take the address for leased", _MENDED


def _of_history(place: Place, scan: Scan) -> Iterator[Finding]:
    claims = set()
    damaged = 0
    for _, line in read_lines(place.records):
        event = journal.decode(line)
        damaged += event is None and bool(line) and parse_seal(line) is None
        if event is not None and event.what == CLAIM:
            claims.add((event.lease.address, event.lease.attachment))
    if damaged:
        yield (
            "damaged-history",
            f"{damaged} lines of the history cannot be read",
            "readers pass them over; what they told is lost",
        )
    if not place.index.is_current(posix.fstat(place.leases), write=False):
        return
    for item in sorted(scan.holders.items(), key=lambda item: item[0]):
        if item not in claims:
            text = format_address(item[0])
            yield (
                "not-in-history",
                f"{text}: history has no claim of this lease, so neither its pod nor its boot is known",
                "`ipam gc` judges it by other evidence; remove .ipam and all of history, and it is recorded anew",
            )
