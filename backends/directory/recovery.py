"""After others have changed the directory, or a change was cut short: make the index agree with the lease files."""

from __future__ import annotations

import posix
from itertools import islice

from backends.directory import journal, leasefile, taken
from backends.directory.files import remove_anything
from backends.directory.index import checksum
from backends.directory.reading import Scan, last_claims, read_events
from backends.directory.retention import finish_forgetting
from ipam import chain
from ipam.model import CLAIM, DROP, Address, Attachment, Cause, Event, Lease

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from backends.directory.place import Place
    from ipam.model import Host

    Known = dict[tuple[int, Address], journal.Place]

_AT_ONCE = 4096
"""Events that are made and written together: they take some 2 KiB of memory each."""


def recover(place: Place, network: str, host: Host) -> None:
    """Undo what was begun and not committed, adopt leases that others made, forget those that they removed.

    Call it under the lock. The lease files have the last word on who holds what; an empty one is what a
    killed Go host-local leaves behind, and is removed.
    """
    place.journal.close()  # what it knows of history may be of another one by now
    scan = Scan(place.leases)
    for address in scan.debris:
        try:
            leasefile.remove(address, place.leases)
        except OSError:
            scan.blocked.append(address)
    for name in posix.listdir(place.records):
        if name.startswith("new."):  # of a link that was being replaced
            remove_anything(name.encode(), place.records)
    finish_forgetting(place)
    size, link = place.index.chained()
    known = {(mark, address): where for mark, address, where in place.index.entries()}
    _settle_interrupted(place, scan, known)
    told = place.last_boot
    if (told is not None and told[1] != host.boot) or not place.index.knows_history(place.journal.size()):
        _distrust(place, known)
    place.journal.end_line()
    if link is None or place.journal.size() > size:
        # Where there is less history than was stamped, the next event still follows what was there: the gap shows.
        link = place.journal.last_link() or link or chain.START
    place.index.follow(_reconcile(place, network, host, scan, known, link))
    bare = sum(not who.ifname for who in scan.holders.values())
    place.index.rewrite([(mark, address, where) for (mark, address), where in known.items()], bare)
    place.bitmaps.close()
    taken.rewrite(place.taken, [*scan.holders, *scan.blocked])
    place.stamp(place.journal.size(), place.index.mark(place.leases, host.clock()))


def _settle_interrupted(place: Place, scan: Scan, known: Known) -> None:
    """Undo a change whose lines did not all reach the history file, for nobody was answered; finish one whose did.

    Only what the index knows to be of that change: a history that was cut short costs no lease.
    """
    begun, size = place.index.begun(), place.journal.size()
    if begun is None or size < begun:
        return
    claims = {key: end for key, (start, end) in known.items() if start >= begun}
    events = place.journal.events_from(begun)
    if events is None or any(end > size for end in claims.values()):
        place.journal.cut(begun)
        held = last_claims(place.records, {address for _, address in claims}) if claims else {}
        for mark, address in claims:
            if (mark, address) in held:  # by its own attachment, which was to give it back first
                known[mark, address] = held[mark, address]
            else:
                del known[mark, address]
                _take_away(place, scan, address, mark)
        return
    for event in events:
        mark, address = checksum(event.lease.attachment), event.lease.address
        if event.what == DROP and (mark, address) not in claims and known.pop((mark, address), None) is not None:
            _take_away(place, scan, address, mark)


def _take_away(place: Place, scan: Scan, address: Address, mark: int) -> None:
    who = scan.holders.get(address)
    if who is not None and checksum(who) == mark:
        leasefile.remove(address, place.leases)
        del scan.holders[address]


def _distrust(place: Place, known: Known) -> None:
    """After a reboot (maybe a power cut) or damage to history: what history does not confirm is not known."""
    for mark, address in list(known):
        event = place.journal.event_at(known[mark, address])
        lease = None if event is None or event.what != CLAIM else event.lease
        if lease is None or (checksum(lease.attachment), lease.address) != (mark, address):
            del known[mark, address]


def _found(place: Place, address: Address, who: Attachment, host: Host) -> Lease:
    """A lease without record: made by us in the last boot, if its file says so, or, for all we know, in this one."""
    told = place.last_boot
    boot = told[1] if told is not None and leasefile.made_in(told[1], address, place.leases) else host.boot
    status = posix.stat(leasefile.file_name(address), dir_fd=place.leases, follow_symlinks=False)
    return Lease(address, who, None, since=round(status.st_mtime, 6), boot=boot, node=host.node)


def _reconcile(place: Place, network: str, host: Host, scan: Scan, known: Known, link: bytes) -> bytes:
    """Write into history, behind `link`, and into `known`, what others did to the lease files; the last link."""
    events = _differences(place, network, host, scan, known)
    while portion := list(islice(events, _AT_ONCE)):
        link = _record(place, portion, known, link)
    return link


def _differences(place: Place, network: str, host: Host, scan: Scan, known: Known) -> Iterator[Event]:
    """What others did, as events; what history knew of it already goes into `known`."""
    now = host.clock()
    vanished = []
    for key in [key for key in known if not _is_held(scan, *key)]:
        event = place.journal.event_at(known.pop(key))
        lease = None if event is None or event.what != CLAIM else event.lease
        if lease is not None and (checksum(lease.attachment), lease.address) == key:
            vanished.append(lease)
    ended: set[Lease] = set()  # of some, history may have the end: then only the index was not brought up to date
    if vanished:
        for event in read_events(place.records, {lease.address for lease in vanished}):
            (ended.discard if event.what == CLAIM else ended.add)(event.lease)
    for lease in vanished:
        if lease not in ended:
            yield Event(now, host.boot, network, DROP, lease, Cause.VANISHED)
    strange = [address for address, who in scan.holders.items() if (checksum(who), address) not in known]
    claims = last_claims(place.records, strange) if strange else {}
    for address in sorted(strange):
        who = scan.holders[address]
        if (checksum(who), address) in claims:
            known[checksum(who), address] = claims[checksum(who), address]
        else:
            yield Event(now, host.boot, network, CLAIM, _found(place, address, who, host), Cause.FOUND)


def _is_held(scan: Scan, mark: int, address: Address) -> bool:
    who = scan.holders.get(address)
    return who is not None and checksum(who) == mark


def _record(place: Place, events: list[Event], known: Known, link: bytes) -> bytes:
    lines, link = journal.encode_chained(events, link)
    start = place.journal.size()
    place.journal.append(lines, start, durable=False)
    for event, line in zip(events, lines, strict=True):
        if event.what == CLAIM:
            known[checksum(event.lease.attachment), event.lease.address] = (start, start + len(line))
        start += len(line)
    return link
