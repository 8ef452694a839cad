"""After others have changed the directory, or a change was cut short: make the index agree with the lease files."""

from __future__ import annotations

import posix

from backends.directory import journal, leasefile, taken
from backends.directory.files import remove
from backends.directory.index import checksum
from backends.directory.reading import Scan, read_events
from backends.directory.retention import finish_forgetting
from ipam.model import CLAIM, DROP, Address, Cause, Event, Lease

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backends.directory.place import Place
    from ipam.model import Host

    Known = dict[tuple[int, Address], journal.Place]


def recover(place: Place, network: str, host: Host) -> None:
    """Undo what was begun and not committed, adopt leases that others made, forget those that they removed.

    Call it under the lock. The lease files have the last word on who holds what; an empty one is what a
    killed Go host-local leaves behind, and is removed.
    """
    scan = Scan(place.leases)
    for address in scan.debris:
        try:
            remove(leasefile.file_name(address), place.leases)
        except OSError:
            scan.blocked.append(address)
    finish_forgetting(place)
    known = {(mark, address): where for mark, address, where in place.index.entries()}
    _undo_uncommitted(place, scan, known)
    told = place.last_boot()
    if told is not None and told[1] != host.boot:
        _distrust(place, known)
    _reconcile(place, network, host, scan, known)
    place.index.rewrite([(mark, address, where) for (mark, address), where in known.items()])
    taken.rewrite(place.taken, [*scan.holders, *scan.blocked])
    place.index.stamp(place.leases, host.clock())


def _undo_uncommitted(place: Place, scan: Scan, known: Known) -> None:
    """Claims of a change whose lines did not all reach the history file were never answered: take them back.

    Only claims that the index knows to be of that change: a history that was cut short costs no lease.
    """
    begun, size = place.index.begun(), place.journal.size()
    if begun is None or size < begun:
        return
    claims = {key: end for key, (start, end) in known.items() if start >= begun}
    if all(end <= size for end in claims.values()):
        return
    for mark, address in claims:
        del known[mark, address]
        who = scan.holders.get(address)
        if who is not None and checksum(who) == mark:
            remove(leasefile.file_name(address), place.leases)
            del scan.holders[address]
    place.journal.cut(begun)


def _distrust(place: Place, known: Known) -> None:
    """After a reboot, which may have been a power cut: what history does not confirm is not known."""
    for mark, address in list(known):
        event = place.journal.event_at(known[mark, address])
        lease = None if event is None or event.what != CLAIM else event.lease
        if lease is None or (checksum(lease.attachment), lease.address) != (mark, address):
            del known[mark, address]


def _boot_of(place: Place, address: Address, host: Host) -> str:
    """In which boot a lease without record was made: by us in the last one, or, for all we know, in this one."""
    told = place.last_boot()
    return told[1] if told is not None and leasefile.made_in(told[1], address, place.leases) else host.boot


def _reconcile(place: Place, network: str, host: Host, scan: Scan, known: Known) -> None:
    """Write into history, and into `known`, what others did to the lease files."""
    now = host.clock()
    holders = {(checksum(who), address) for address, who in scan.holders.items()}
    events = []
    for key in [key for key in known if key not in holders]:
        event = place.journal.event_at(known.pop(key))
        claimed = event is not None and event.what == CLAIM and event.lease.address == key[1]
        if event is not None and claimed and not _dropped_already(place, event):
            events.append(Event(now, host.boot, network, DROP, event.lease, Cause.VANISHED))
    for address, who in sorted(scan.holders.items(), key=lambda item: item[0]):
        if (checksum(who), address) not in known:
            status = posix.stat(leasefile.file_name(address), dir_fd=place.leases, follow_symlinks=False)
            boot = _boot_of(place, address, host)
            lease = Lease(address, who, None, since=round(status.st_mtime, 6), boot=boot, node=host.node)
            events.append(Event(now, host.boot, network, CLAIM, lease, Cause.FOUND))
    if events:
        _record(place, events, known)


def _record(place: Place, events: list[Event], known: Known) -> None:
    lines = [journal.encode(event) for event in events]
    start = place.journal.size()
    place.journal.append(lines, start, durable=False)
    for event, line in zip(events, lines, strict=True):
        if event.what == CLAIM:
            known[checksum(event.lease.attachment), event.lease.address] = (start, start + len(line))
        start += len(line)


def _dropped_already(place: Place, claim: Event) -> bool:
    """Whether history has the end of this lease: then only the index was not brought up to date."""
    return any(event.what == DROP and event.lease == claim.lease for event in read_events(place.records))
