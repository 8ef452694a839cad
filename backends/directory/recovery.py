"""After others have changed the directory, or a change was cut short: make the index agree with the lease files."""

from __future__ import annotations

import posix

from backends.directory import index, journal, leasefile, taken
from backends.directory.files import remove
from backends.directory.reading import Scan, read_events
from backends.directory.retention import finish_forgetting
from ipam.model import CLAIM, DROP, Cause, Event, Lease

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backends.directory.index import Places
    from backends.directory.place import Place
    from ipam.model import Host


def recover(place: Place, network: str, host: Host) -> None:
    """Undo what was begun and not committed, adopt leases that others made, forget those that they removed.

    Call it under the lock. The lease files have the last word on who holds what; an empty one is what a
    killed Go host-local leaves behind, and is removed.
    """
    scan = Scan(place.leases)
    for address in scan.debris:
        remove(leasefile.file_name(address), place.leases)
    entries = index.all_entries(place.attachments)
    finish_forgetting(place, entries)
    changed = _undo_uncommitted(place, scan, entries)
    changed |= _reconcile(place, network, host, scan, entries)
    for name in changed:
        index.write_named(name, entries.get(name, {}), place.attachments, place.records)
    taken.rewrite(place.taken, [*scan.holders, *scan.blocked])
    index.stamp(place.leases, place.attachments, host.clock())


def _undo_uncommitted(place: Place, scan: Scan, entries: dict[bytes, Places]) -> set[bytes]:
    """A claim whose line never reached the history file was never answered: take its lease file away again."""
    size = cut = place.journal.size()
    changed: set[bytes] = set()
    for name, places in entries.items():
        for address in [address for address, (_, end) in places.items() if end > size]:
            cut = min(cut, places.pop(address)[0])
            who = scan.holders.get(address)
            if who is not None and index.entry_name(who) == name:
                remove(leasefile.file_name(address), place.leases)
                del scan.holders[address]
            changed.add(name)
    if cut < size:
        place.journal.cut(cut)
    return changed


def _reconcile(place: Place, network: str, host: Host, scan: Scan, entries: dict[bytes, Places]) -> set[bytes]:
    """Write into history, and into `entries`, what others did to the lease files."""
    now, changed = host.clock(), set()
    events: list[Event] = []
    for name, places in list(entries.items()):
        for address in list(places):
            who = scan.holders.get(address)
            if who is not None and index.entry_name(who) == name:
                continue
            event = place.journal.event_at(places.pop(address))
            changed.add(name)
            claimed = event is not None and event.what == CLAIM and event.lease.address == address
            if event is not None and claimed and not _dropped_already(place, event):
                events.append(Event(now, host.boot, network, DROP, event.lease, Cause.VANISHED))
    found = [
        (address, who)
        for address, who in sorted(scan.holders.items(), key=lambda item: item[0])
        if address not in entries.get(index.entry_name(who), {})
    ]
    for address, who in found:
        status = posix.stat(leasefile.file_name(address), dir_fd=place.leases, follow_symlinks=False)
        lease = Lease(address, who, None, since=round(status.st_mtime, 6), boot=host.boot, node=host.node)
        events.append(Event(now, host.boot, network, CLAIM, lease, Cause.FOUND))
    _record(place, events, entries, changed)
    return changed


def _record(place: Place, events: list[Event], entries: dict[bytes, Places], changed: set[bytes]) -> None:
    if not events:
        return
    lines = [journal.encode(event) for event in events]
    start = place.journal.size()
    place.journal.append(lines, start, durable=False)
    for event, line in zip(events, lines, strict=True):
        if event.what == CLAIM:
            name = index.entry_name(event.lease.attachment)
            entries.setdefault(name, {})[event.lease.address] = (start, start + len(line))
            changed.add(name)
        start += len(line)


def _dropped_already(place: Place, claim: Event) -> bool:
    """Whether history has the end of this lease: then only the index was not brought up to date."""
    return any(event.what == DROP and event.lease == claim.lease for event in read_events(place.records))
